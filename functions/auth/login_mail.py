"""Mail to a person about their own logging in.

Invariant: a mail goes to the address on file alone, and nothing of it is logged. Whether one could
be sent changes no decision: a login that is held stays so, a session that ended has ended.
"""

from datetime import datetime
from typing import Final

from functions.auth.notices import notify
from functions.shared.access.challenges import LIFETIME, Challenge
from functions.shared.access.personal_data import personal_fields
from functions.shared.access.sessions import Arrival
from functions.shared.clock import INDIA
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger

_HELD_SUBJECT: Final = "Your login needs a code"
_HELD: Final = """\
Someone logged in to your account with your password and one-time code, on a device, from a network
and in a country ({country}) that you have not logged in from before, at {time} India time.

If it was you, enter this code where you logged in: {code}
It counts for {minutes} minutes, and once. Nobody of ours will ever ask you for it.

If it was not you: nothing was opened. Change your password now.
"""
_REUSED_SUBJECT: Final = "A session of yours was ended"
_REUSED: Final = """\
A session of yours was renewed twice with the same token, at {time} India time. One of the two was
not your device, or its answer was lost on the way. We ended the session; log in again.

If you find a session that is not yours in the list of your sessions, end it and change your
password.
"""


def mail_code(
    stores: Stores, user_id: int, challenge: Challenge, arrival: Arrival, now: datetime
) -> None:
    """Mails the code of a login that was held. Raises Retryable when the mail was not taken: the
    login is held, and one asked for anew has a code of its own. Without an address that takes mail
    nothing but a known place or device lets the owner in."""
    address = personal_fields(stores.shards, stores.secrets, user_id).get("mail")
    if address is None:
        logger().warning("there is no address to mail a code to", user_id=str(user_id))
        return
    text = _HELD.format(
        country=arrival.country or "unknown",
        time=_india(now),
        code=challenge.code,
        minutes=int(LIFETIME.total_seconds()) // 60,
    )
    try:
        stores.mail.send(address, _HELD_SUBJECT, text)
    except Refused as refusal:
        logger().warning("the mail of a code was refused", user_id=str(user_id), why=refusal.code)


def mail_reuse(stores: Stores, user_id: int, now: datetime) -> None:
    """Tells the owner that a session was ended because a token of it came twice."""
    notify(stores, user_id, (_REUSED_SUBJECT, _REUSED.format(time=_india(now))))


def _india(moment: datetime) -> str:
    return moment.astimezone(INDIA).strftime("%d %B %Y, %H:%M")
