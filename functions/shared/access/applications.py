"""Applying for an account and being known: from a sign-up to a person who was verified.

Flow: apply -> (the mail is confirmed) -> attempt -> (the provider) -> end. Invariant: whether a
mail address is known is told to whoever reads it, and to nobody else; a check that was decided, or
whose application was corrected since, is not decided again.
"""

import secrets as entropy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from functions.shared.access.accounts import USER_ID_BITS, normal_username
from functions.shared.access.keys import identity_key
from functions.shared.access.mailed_tokens import CONFIRM_LIFETIME, new_token, token_digest
from functions.shared.access.passwords import hash_password
from functions.shared.access.personal_data import Field, mail_digest, pan_digest, personal_key
from functions.shared.access.personal_keys import PersonalKey
from functions.shared.access.regions import region_of_login
from functions.shared.domain.errors import Conflict
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

#: Questions about one application; the last is asked some two hours after the first.
ATTEMPTS_MOST: Final = 14
_RESERVED: Final = "erased-"
_APPLY: Final = (
    "SELECT identity.apply_for_account(:user::bigint, :username::text, :password::text,"
    " :wrapped::bytea, :region::text, :fields::text[], :sealed::bytea[], :mail::bytea,"
    " :token::bytea, :expires::timestamptz, :at::timestamptz, :network::text)"
)

KycState = Literal["UNCONFIRMED", "WAITING", "VERIFIED", "REFUSED"]


@dataclass(frozen=True, slots=True)
class KycCheck:
    """Where the question stands; `reason` is the provider's, for a refusal."""

    state: KycState
    reason: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Applied:
    """`token` proves the mail address, which is known already when `mail_is_known`."""

    user_id: int
    token: str
    mail_is_known: bool


def apply_for_account(
    shards: Shards,
    secrets: Secrets,
    *,
    username: str,
    password: str,
    particulars: Mapping[Field, str],
    region: str,
    now: datetime,
    network: str,
) -> Applied:
    """A person in state APPLIED, whose login counts once their mail is confirmed.

    Raises Conflict (USERNAME_TAKEN).
    """
    name = normal_username(username)
    user_id = entropy.randbelow(2**USER_ID_BITS - 1) + 1
    key = PersonalKey.new(user_id)
    mail, token = mail_digest(secrets, particulars["mail"]), new_token()
    hashed = hash_password(password)  # before the name is looked up: both answers take its time
    if name.startswith(_RESERVED) or region_of_login(shards, secrets, name) is not None:
        raise _taken(name)
    rows = shards.control.run(
        _APPLY,
        user=user_id,
        username=name,
        password=hashed,
        wrapped=key.wrap(identity_key(secrets)),
        region=region,
        fields=list(particulars),
        sealed=[key.encrypt(field, text) for field, text in particulars.items()],
        mail=mail,
        token=token_digest(token),
        expires=now + CONFIRM_LIFETIME,
        at=now,
        network=network,
    )
    if not rows[0][0]:
        raise _taken(name)
    return Applied(user_id, token, _is_known(shards, mail))


def confirm_mail(shards: Shards, token: str, now: datetime, network: str) -> int | None:
    """The user whose mail the token proves; None for a token that is not valid.

    Raises Conflict (MAIL_IN_USE) when the address became somebody's since.
    """
    rows = shards.control.run(
        "SELECT outcome, user_id FROM"
        " identity.confirm_mail(:token::bytea, :at::timestamptz, :network::text)",
        token=token_digest(token),
        at=now,
        network=network,
    )
    outcome, user_id = rows[0]
    if outcome == "MAIL_KNOWN":
        raise Conflict("MAIL_IN_USE", "there is an account with this mail address")
    return user_id if outcome == "CONFIRMED" else None


def kyc_check(shards: Shards, user_id: int) -> KycCheck | None:
    """None for a user who never applied: one made on the machine itself."""
    rows = shards.control.run(
        "SELECT state, reason FROM identity.kyc_check WHERE user_id = :user::bigint", user=user_id
    )
    return KycCheck(*rows[0]) if rows else None


def due_checks(shards: Shards, now: datetime, most: int) -> list[int]:
    """Users about whom the provider is to be asked by now, longest due first."""
    rows = shards.control.run(
        "SELECT user_id FROM identity.kyc_check WHERE due_at <= :at::timestamptz"
        " ORDER BY due_at LIMIT :most::integer",
        at=now,
        most=most,
    )
    return [user_id for (user_id,) in rows]


def stuck_checks(shards: Shards) -> int:
    """Applications that nothing asks about any more: a person must look."""
    rows = shards.control.run(
        "SELECT count(*) FROM identity.kyc_check WHERE state = 'WAITING' AND due_at IS NULL"
    )
    return int(rows[0][0])


def attempt_check(shards: Shards, user_id: int, now: datetime) -> int | None:
    """Says that the provider is about to be asked: the check's number. None: not due, don't ask."""
    rows = shards.control.run(
        "SELECT identity.attempt_kyc(:user::bigint, :most::integer, :at::timestamptz)",
        user=user_id,
        most=ATTEMPTS_MOST,
        at=now,
    )
    number: int | None = rows[0][0]
    return number


def end_check(
    shards: Shards,
    secrets: Secrets,
    user_id: int,
    number: int,
    pan: str,
    reason: str | None,
    now: datetime,
) -> None:
    """The provider's word: verified, or refused with its `reason`. One PAN is one person's."""
    shards.control.run(
        "SELECT identity.end_kyc(:user::bigint, :number::integer, :pan::bytea, :reason::text,"
        " :at::timestamptz)",
        user=user_id,
        number=number,
        pan=pan_digest(secrets, pan),
        reason=reason,
        at=now,
    )


def correct_application(
    shards: Shards,
    secrets: Secrets,
    user_id: int,
    particulars: Mapping[Field, str],
    now: datetime,
    network: str,
) -> None:
    """Applies again with other particulars. Raises Conflict (NOT_REFUSED) when none are asked."""
    key = personal_key(shards, secrets, user_id)
    rows = shards.control.run(
        "SELECT identity.correct_application(:user::bigint, :fields::text[], :sealed::bytea[],"
        " :at::timestamptz, :network::text)",
        user=user_id,
        fields=list(particulars),
        sealed=[key.encrypt(field, text) for field, text in particulars.items()],
        at=now,
        network=network,
    )
    if not rows[0][0]:
        raise Conflict("NOT_REFUSED", "only an application that was refused can be corrected")


def forget_application(shards: Shards, user_id: int) -> None:
    """Drops an application that was not confirmed: its mail could not be sent."""
    shards.control.run("SELECT identity.forget_application(:user::bigint)", user=user_id)


def forget_unconfirmed(shards: Shards, now: datetime, most: int) -> int:
    """Drops applications whose mail was not confirmed in time. Returns how many."""
    rows = shards.control.run(
        "SELECT identity.forget_unconfirmed(:at::timestamptz, :most::integer)", at=now, most=most
    )
    return int(rows[0][0])


def _is_known(shards: Shards, mail: bytes) -> bool:
    rows = shards.control.run(
        "SELECT EXISTS (SELECT FROM identity.person WHERE mail_digest = :mail::bytea)", mail=mail
    )
    return bool(rows[0][0])


def _taken(name: str) -> Conflict:
    return Conflict("USERNAME_TAKEN", f"the user name {name} is taken")
