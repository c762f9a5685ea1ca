"""Applying: from a stranger's particulars to a person whose mail is confirmed.

Invariant: an address that has an account and one that has none get the same answer after the same
work: a hash, a row and a mail each (ASVS 5.0, 6.3.8). Whoever reads the address learns which.
"""

from datetime import date, datetime
from typing import Final

from functions.auth import notices
from functions.auth.account_answers import AppliedAnswer, PersonParticulars, SignUpRequest
from functions.auth.know_customer import know_customer
from functions.auth.password_rules import require_good_password
from functions.shared.access.accounts import normal_username
from functions.shared.access.applications import (
    apply_for_account,
    confirm_mail,
    correct_application,
    forget_application,
)
from functions.shared.access.personal_data import Field, mail_digest
from functions.shared.access.throttle import Limit, Throttle
from functions.shared.clock import INDIA
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.runtime.composition import Stores

#: Applications by one network, and mails to one address: a handful, then one each ten minutes.
SIGN_UP: Final = Limit("sign-up", 5, 600_000)
MAIL_TO: Final = Limit("mail-to", 3, 600_000)
#: Mailed tokens tried by one network.
TOKEN_TRIES: Final = Limit("mailed-token", 20, 6_000)
_ADULT: Final = 18


def sign_up(stores: Stores, asked: SignUpRequest, network: str, now: datetime) -> AppliedAnswer:
    """Raises Refused 422 PASSWORD_TOO_WEAK, TOO_YOUNG, 429; Conflict (USERNAME_TAKEN)."""
    require_good_password(asked.password, asked.username)
    _require_adult(asked.date_of_birth, now)
    throttle = Throttle(stores.valkey)
    throttle.take(SIGN_UP, network)
    throttle.take(MAIL_TO, mail_digest(stores.secrets, asked.mail).hex())
    applied = apply_for_account(
        stores.shards,
        stores.secrets,
        username=asked.username,
        password=asked.password,
        particulars={**_particulars(asked), "mail": asked.mail, "phone": asked.phone},
        region=stores.regions.home,
        now=now,
        network=network,
    )
    subject, text = notices.KNOWN if applied.mail_is_known else notices.CONFIRM
    try:
        stores.mail.send(asked.mail, subject, text.format(token=applied.token))
    except (Refused, Retryable):  # so that the same application can be sent again
        forget_application(stores.shards, applied.user_id)
        raise
    return AppliedAnswer(username=normal_username(asked.username))


def confirm(stores: Stores, token: str, network: str, now: datetime) -> None:
    """Raises Refused 422 MAILED_TOKEN_INVALID; Conflict (MAIL_IN_USE)."""
    Throttle(stores.valkey).take(TOKEN_TRIES, network)
    user_id = confirm_mail(stores.shards, token, now, network)
    if user_id is None:
        raise Refused(422, "MAILED_TOKEN_INVALID", "the token is unknown, used or too old")
    know_customer(stores, user_id, now)


def correct(
    stores: Stores, user_id: int, asked: PersonParticulars, network: str, now: datetime
) -> None:
    """Raises Refused 422 TOO_YOUNG; Conflict (NOT_REFUSED)."""
    _require_adult(asked.date_of_birth, now)
    correct_application(stores.shards, stores.secrets, user_id, _particulars(asked), now, network)
    know_customer(stores, user_id, now)


def _particulars(asked: PersonParticulars) -> dict[Field, str]:
    return {
        "name": asked.name,
        "pan": asked.pan,
        "date_of_birth": asked.date_of_birth.isoformat(),
    }


def _require_adult(born: date, now: datetime) -> None:
    today = now.astimezone(INDIA).date()
    # Born on 29 February, one is of age on 1 March.
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if age < _ADULT:
        raise Refused(422, "TOO_YOUNG", f"an account is for people of {_ADULT} and more")
