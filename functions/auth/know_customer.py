"""Asking the provider about one applicant: said before, asked once, its word kept.

Flow: attempt (database) -> check (the provider) -> end (database). Invariant: an answer that
doesn't come, or makes no sense, changes nothing; the application waits and is asked about again.
The reference tells the provider nothing but which question it is.
"""

from datetime import datetime
from typing import Final

from functions.shared.access.applications import attempt_check, end_check
from functions.shared.access.personal_data import personal_fields
from functions.shared.domain.errors import InvariantViolated, PeerProtocolError, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.kyc import Particulars

_NO_REASON: Final = "REFUSED"


def know_customer(stores: Stores, user_id: int, now: datetime) -> None:
    """Asks if that is due, for at most two seconds."""
    number = attempt_check(stores.shards, user_id, now)
    if number is None:
        return
    fields = personal_fields(stores.shards, stores.secrets, user_id)
    name, pan, born = fields.get("name"), fields.get("pan"), fields.get("date_of_birth")
    if name is None or pan is None or born is None:
        raise InvariantViolated("an application lacks what is to be checked")
    try:
        answer = stores.kyc.check(
            f"{user_id}-{number}", Particulars(name=name, pan=pan, date_of_birth=born)
        )
    except Retryable as error:
        logger().warning("kyc silent", user_id=str(user_id), why=str(error))
        return
    except PeerProtocolError as error:
        logger().error("kyc nonsense", user_id=str(user_id), why=str(error))
        return
    if answer.status == "PENDING":
        return
    refusal = None if answer.status == "VERIFIED" else answer.reason or _NO_REASON
    end_check(stores.shards, stores.secrets, user_id, number, pan, refusal, now)
