"""The schedule that drives applications and bank accounts on, and mails resets and price
alerts: each minute.

It finds what is due by itself: resets that were asked for, bank accounts that the bank may not have
been told of, applications that the provider has not decided, verified people who have enrolled
since, applications whose mail nobody confirmed, sessions that are long over. Invariant: run twice
at once or cut off anywhere, it decides nothing twice; a person whose row contradicts itself is said
aloud and holds up nobody else.
"""

from collections.abc import Iterator
from typing import Any, Final

from functions.auth.accounts import finish_bank_change
from functions.auth.activate import activate_if_ready
from functions.auth.know_customer import know_customer
from functions.auth.mail_alerts import mail_alerts
from functions.auth.mail_resets import mail_resets
from functions.auth.prove import my_login
from functions.shared.access.applications import due_checks, forget_unconfirmed, stuck_checks
from functions.shared.access.bank_changes import due_bank_changes
from functions.shared.access.sessions import forget_sessions
from functions.shared.clock import wall_now
from functions.shared.domain.errors import (
    InvariantViolated,
    NotFound,
    PeerProtocolError,
    Refused,
    Retryable,
)
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger

#: People a run takes of each kind; the rest are due still when the next run comes.
PEOPLE_MOST: Final = 200
#: Sessions long over that a run forgets.
SESSIONS_MOST: Final = 5_000
#: A question needs less; a run with less time left ends by itself.
_RESERVE_MILLISECONDS: Final = 5_000
_READY: Final = (
    "SELECT p.user_id FROM identity.person p JOIN identity.login l USING (user_id)"
    " JOIN identity.personal b ON b.user_id = p.user_id AND b.field = 'bank'"
    " WHERE p.state = 'VERIFIED' AND l.totp_secret IS NOT NULL LIMIT :most::integer"
)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many resets were mailed, people worked, applications and sessions forgotten. Raises
    InvariantViolated at the end when somebody could not be worked."""
    stores, now = composition.stores(), wall_now()
    _finish_bank_changes(stores, context)
    worked = 0
    mailed, broken = mail_resets(stores, context, _RESERVE_MILLISECONDS, now)
    alerts = mail_alerts(stores, context, _RESERVE_MILLISECONDS)
    for user_id in _due(stores):
        if context.get_remaining_time_in_millis() < _RESERVE_MILLISECONDS:
            break
        try:
            know_customer(stores, user_id, now)
            activate_if_ready(stores, my_login(stores, user_id))
            worked += 1
        except (Retryable, NotFound, Refused) as error:  # erased or closed since, or busy
            logger().warning("person put off", user_id=str(user_id), why=str(error))
        except InvariantViolated as error:
            broken += 1
            logger().error("person not worked", user_id=str(user_id), why=str(error))
    forgotten = forget_unconfirmed(stores.shards, now, PEOPLE_MOST)
    sessions = forget_sessions(stores.shards, now, SESSIONS_MOST)
    if stuck := stuck_checks(stores.shards):
        logger().error("applications stuck", count=stuck)
    if broken:
        raise InvariantViolated(f"{broken} people could not be worked")
    return {
        "mailed": mailed,
        "alerts": alerts,
        "worked": worked,
        "forgotten": forgotten,
        "sessions": sessions,
    }


def _finish_bank_changes(stores: Stores, context: Any) -> None:
    """A bank that is away, or makes no sense of one of them, is asked again in a minute."""
    for user_id in due_bank_changes(stores.shards, PEOPLE_MOST):
        if context.get_remaining_time_in_millis() < _RESERVE_MILLISECONDS:
            return
        try:
            finish_bank_change(stores, user_id)
        except (Retryable, PeerProtocolError, NotFound) as error:
            logger().error("bank account not changed", user_id=str(user_id), why=str(error))


def _due(stores: Stores) -> Iterator[int]:
    yield from due_checks(stores.shards, wall_now(), PEOPLE_MOST)
    yield from (row[0] for row in stores.shards.control.run(_READY, most=PEOPLE_MOST))
