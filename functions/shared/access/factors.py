"""What proves a person: enrolling an authenticator, another password, resets by mail.

Invariant: whatever changes is changed by one statement that also ends the sessions it must, writes
the audit trail and leaves the ends to be announced: by the caller, or else by the schedule that
carries interventions out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from functions.shared.access.accounts import TOTP_FIELD
from functions.shared.access.mailed_tokens import RESET_LIFETIME, new_token, token_digest
from functions.shared.access.personal_data import mail_digest, personal_key
from functions.shared.access.recovery_codes import new_recovery_codes, recovery_digest
from functions.shared.domain.errors import InvariantViolated
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

OFFER_LIFETIME: Final = timedelta(minutes=15)
#: Guesses of the second factor that one mailed reset allows.
RESET_TRIES_MOST: Final = 5


@dataclass(frozen=True, slots=True, repr=False)
class Offer:
    """An authenticator that is waiting for its first code."""

    sealed: bytes
    secret: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Sessions that a change has ended, to be announced under its audit entry's number."""

    audit_id: int
    session_ids: list[str]


def offer_totp(shards: Shards, secrets: Secrets, user_id: int, secret: str, now: datetime) -> None:
    """Keeps a secret that counts once a code of it is shown; an earlier offer is void."""
    shards.control.run(
        "SELECT identity.offer_totp(:user::bigint, :sealed::bytea, :expires::timestamptz)",
        user=user_id,
        sealed=personal_key(shards, secrets, user_id).encrypt(TOTP_FIELD, secret),
        expires=now + OFFER_LIFETIME,
    )


def find_offer(shards: Shards, secrets: Secrets, user_id: int, now: datetime) -> Offer | None:
    rows = shards.control.run(
        "SELECT sealed FROM identity.totp_offer WHERE user_id = :user::bigint"
        " AND expires_at > :at::timestamptz",
        user=user_id,
        at=now,
    )
    if not rows:
        return None
    sealed = bytes(rows[0][0])
    return Offer(sealed, personal_key(shards, secrets, user_id).decrypt(TOTP_FIELD, sealed))


def confirm_totp(
    shards: Shards,
    user_id: int,
    offer: Offer,
    step: int,
    session_id: str,
    now: datetime,
    network: str,
) -> tuple[list[str], Ends] | None:
    """The offer counts from now on; new recovery codes. None when it was replaced meanwhile."""
    codes = new_recovery_codes()
    rows = shards.control.run(
        "SELECT confirmed, ended::text[], audit_id FROM identity.confirm_totp(:user::bigint,"
        " :sealed::bytea, :step::bigint, :codes::bytea[], :session::uuid, :at::timestamptz,"
        " :network::text)",
        user=user_id,
        sealed=offer.sealed,
        step=step,
        codes=[recovery_digest(user_id, code) for code in codes],
        session=session_id,
        at=now,
        network=network,
    )
    confirmed, ended, audit_id = rows[0]
    return (codes, Ends(audit_id, ended)) if confirmed else None


def change_password(
    shards: Shards,
    user_id: int,
    *,
    old_hash: str,
    new_hash: str,
    session_id: str,
    now: datetime,
    network: str,
) -> Ends | None:
    """Ends every other session. None when the password was changed meanwhile."""
    rows = shards.control.run(
        "SELECT changed, ended::text[], audit_id FROM identity.change_password(:user::bigint,"
        " :old::text, :new::text, :session::uuid, :at::timestamptz, :network::text)",
        user=user_id,
        old=old_hash,
        new=new_hash,
        session=session_id,
        at=now,
        network=network,
    )
    changed, ended, audit_id = rows[0]
    return Ends(audit_id, ended) if changed else None


@dataclass(frozen=True, slots=True)
class ResetAsk:
    """A reset that was asked for, by whoever, of a user's password."""

    ask_id: int
    user_id: int


def ask_reset(shards: Shards, secrets: Secrets, mail: str, now: datetime, network: str) -> None:
    """Notes that it was asked for, which is the same for an address that is nobody's."""
    shards.control.run(
        "SELECT identity.ask_reset(:mail::bytea, :network::text, :at::timestamptz)",
        mail=mail_digest(secrets, mail),
        network=network,
        at=now,
    )


def due_resets(shards: Shards, now: datetime, most: int) -> list[ResetAsk]:
    """Those asked for within 15 minutes and not mailed, the oldest first."""
    rows = shards.control.run(
        "SELECT ask_id, user_id FROM identity.due_resets(:at::timestamptz, :most::integer)",
        at=now,
        most=most,
    )
    return [ResetAsk(*row) for row in rows]


def offer_reset(shards: Shards, ask: ResetAsk, now: datetime) -> str | None:
    """A token that may set the password once; None when the user is gone meanwhile."""
    token = new_token()
    rows = shards.control.run(
        "SELECT identity.offer_reset(:ask::bigint, :token::bytea, :expires::timestamptz)",
        ask=ask.ask_id,
        token=token_digest(token),
        expires=now + RESET_LIFETIME,
    )
    return token if rows[0][0] else None


def end_reset_ask(shards: Shards, ask: ResetAsk) -> None:
    """It was mailed, and is due no more."""
    shards.control.run("SELECT identity.end_reset_ask(:ask::bigint)", ask=ask.ask_id)


def try_reset(shards: Shards, token: str, now: datetime) -> str | None:
    """The user name whose password the token may set; each call uses up one of its tries."""
    rows = shards.control.run(
        "SELECT identity.try_reset(:token::bytea, :most::integer, :at::timestamptz)",
        token=token_digest(token),
        most=RESET_TRIES_MOST,
        at=now,
    )
    username: str | None = rows[0][0]
    return username


def reset_password(
    shards: Shards, token: str, new_hash: str, now: datetime, network: str
) -> Ends | None:
    """Uses the token up and ends every session. None when it was used or void meanwhile."""
    rows = shards.control.run(
        "SELECT done, ended::text[], audit_id FROM identity.reset_password(:token::bytea,"
        " :new::text, :at::timestamptz, :network::text)",
        token=token_digest(token),
        new=new_hash,
        at=now,
        network=network,
    )
    done, ended, audit_id = rows[0]
    return Ends(audit_id, ended) if done else None


def username_of(shards: Shards, user_id: int) -> str:
    """Raises InvariantViolated for a number that is nobody's: its token was ours."""
    rows = shards.control.run(
        "SELECT username FROM identity.login WHERE user_id = :user::bigint", user=user_id
    )
    if not rows:
        raise InvariantViolated("a token of ours names a user who isn't there")
    return str(rows[0][0])
