"""The mails of resets that were asked for, to whoever's address it was.

Invariant: a reset is due until its mail was taken, or 15 minutes; one mailed again because of that
carries a token of its own, and the earlier one stays good.
"""

from datetime import datetime
from typing import Any, Final

from functions.auth.notices import RESET
from functions.shared.access import factors
from functions.shared.access.factors import ResetAsk
from functions.shared.access.personal_data import personal_fields
from functions.shared.domain.errors import InvariantViolated, NotFound, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger

#: Resets that a run mails; the rest are due still when the next run comes.
RESETS_MOST: Final = 200


def mail_resets(
    stores: Stores, context: Any, reserve_milliseconds: int, now: datetime
) -> tuple[int, int]:
    """How many were mailed, in the time that Lambda's `context` leaves beyond the reserve, and of
    how many the person's row contradicts itself."""
    mailed = broken = 0
    for ask in factors.due_resets(stores.shards, now, RESETS_MOST):
        if context.get_remaining_time_in_millis() < reserve_milliseconds:
            break
        try:
            _mail(stores, ask, now)
            mailed += 1
        except (Retryable, NotFound, Refused) as error:
            logger().warning("reset not mailed", user_id=str(ask.user_id), why=str(error))
        except InvariantViolated as error:
            broken += 1
            logger().error("reset not mailed", user_id=str(ask.user_id), why=str(error))
    return mailed, broken


def _mail(stores: Stores, ask: ResetAsk, now: datetime) -> None:
    # To the address that was confirmed, however the one asked about was typed.
    confirmed = personal_fields(stores.shards, stores.secrets, ask.user_id).get("mail")
    token = factors.offer_reset(stores.shards, ask, now)
    if confirmed is not None and token is not None:
        subject, text = RESET
        stores.mail.send(confirmed, subject, text.format(token=token))
    factors.end_reset_ask(stores.shards, ask)
