"""What users are mailed about their account.

Invariant: a notice says that something happened, and nothing that identifies the person; a secret
is in the mail that is there to carry it, and nowhere else. A notice of what is done already never
undoes it: one that can't be sent is said in the log.
"""

from typing import Final

from functions.shared.access.personal_data import personal_fields
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger

_NOT_YOU: Final = "If that was not you, change your password at once and write to us."

CONFIRM: Final = (
    "Confirm your mail address",
    (
        "Somebody, you we hope, applied for an account with this address. To confirm it, send this"
        " to POST /v1/accounts/confirmation within 24 hours:\n\n{token}\n\n"
        "If it wasn't you, do nothing."
    ),
)
KNOWN: Final = (
    "You have an account already",
    (
        "Somebody applied for an account with this address, which has one. If that was you, log in,"
        " or reset your password; if it wasn't, do nothing."
    ),
)
RESET: Final = (
    "Reset your password",
    (
        "To set another password, send this to PUT /v1/auth/password-reset within 15 minutes:\n\n"
        "{token}\n\nIf you did not ask for it, do nothing."
    ),
)
PASSWORD: Final = ("Your password was changed", f"Other sessions have ended. {_NOT_YOU}")
FIRST_TOTP: Final = (
    "Your authenticator is set up",
    f"Each login asks for its code from now on. {_NOT_YOU}",
)
TOTP: Final = (
    "Another authenticator counts now",
    f"Other sessions have ended, and earlier recovery codes are void. {_NOT_YOU}",
)
RECOVERY: Final = ("New recovery codes were made", f"Earlier ones are void. {_NOT_YOU}")
RECOVERY_USED: Final = (
    "A recovery code was used to log in",
    f"It stood in for your authenticator, and counts no more. {_NOT_YOU}",
)
FIRST_BANK: Final = (
    "Your bank account is on file",
    f"Withdrawals go there. {_NOT_YOU}",
)
BANK: Final = (
    "Another bank account is on file",
    f"Withdrawals go there from now on. {_NOT_YOU}",
)
KEY_MADE: Final = (
    "An API key was made",
    (
        "With a one-time code of yours, a program that has it may: {scopes}. Keys are listed by GET"
        f" /v1/auth/keys. {_NOT_YOU} Delete the key, too: a changed password doesn't end it."
    ),
)
KEY_ENDED: Final = ("An API key was deleted", f"Its sessions have ended. {_NOT_YOU}")
NOMINEES: Final = ("Your nominees were changed", _NOT_YOU)
ACTIVE: Final = (
    "Your account is open",
    "You can trade from now on. If you are logged in, log in again first.",
)
CLOSED: Final = ("Your account is closed", "Nobody can log in to it any more.")


def notify(stores: Stores, user_id: int, notice: tuple[str, str]) -> None:
    """Tells a user what was done; one without a mail address is told nothing."""
    try:
        mail = personal_fields(stores.shards, stores.secrets, user_id).get("mail")
        if mail is not None:
            stores.mail.send(mail, *notice)
    except (Refused, Retryable) as error:
        logger().error("notice not sent", user_id=str(user_id), subject=notice[0], why=str(error))
