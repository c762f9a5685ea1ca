"""Another bank account of a user, from being given to being on file.

Flow: begin (on the trail, sealed) -> the bank is told -> end (on file, or refused). Invariant:
between the two the change is there for everybody to see: no money goes out, and whoever finds it
unclaimed, the schedule or its owner asking again, tells the bank and ends it.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from functions.shared.access.personal_data import BankAccount, bank_digest, personal_key
from functions.shared.domain.errors import Conflict
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

#: How long one caller has a change to itself: many times what a question to the bank may take.
CLAIM_SECONDS: Final = 45.0
_FIELD: Final = "bank"
_BEGIN: Final = (
    "SELECT identity.begin_bank_change(:user::bigint, :sealed::bytea, :network::text,"
    " make_interval(secs => :claim))"
)
_CLAIM: Final = "SELECT identity.claim_bank_change(:user::bigint, make_interval(secs => :claim))"
_END: Final = (
    "SELECT identity.end_bank_change(:user::bigint, :sealed::bytea, :taken::boolean, :mark::bytea)"
)
_DUE: Final = (
    "SELECT user_id FROM identity.bank_change WHERE claimed_until <= clock_timestamp()"
    " ORDER BY claimed_until LIMIT :most::integer"
)
_UNDER_WAY: Final = "SELECT FROM identity.bank_change WHERE user_id = :user::bigint"


@dataclass(frozen=True, slots=True, repr=False)
class BankChange:
    """A claimed change; `mark` is what links people who are paid to one account. Never logged: no
    `repr` shows it."""

    user_id: int
    account: BankAccount
    sealed: bytes
    mark: bytes


def begin_bank_change(
    shards: Shards, secrets: Secrets, user_id: int, account: BankAccount, network: str
) -> BankChange | None:
    """The change, claimed; None while another is under way. Raises Conflict (ACCOUNT_FROZEN),
    NotFound, Retryable."""
    text = msgspec.json.encode(account).decode()
    sealed = personal_key(shards, secrets, user_id).encrypt(_FIELD, text)
    [[outcome]] = shards.control.run(
        _BEGIN, user=user_id, sealed=sealed, network=network, claim=CLAIM_SECONDS
    )
    if outcome == "FROZEN":
        raise Conflict("ACCOUNT_FROZEN", "the account was frozen; write to us")
    if outcome != "BEGUN":
        return None
    return BankChange(user_id, account, sealed, bank_digest(secrets, account))


def claim_bank_change(shards: Shards, secrets: Secrets, user_id: int) -> BankChange | None:
    """The user's change, for whoever tells the bank now; None when there is none or somebody is at
    it. Raises NotFound for a person who was erased, Retryable."""
    [[sealed]] = shards.control.run(_CLAIM, user=user_id, claim=CLAIM_SECONDS)
    if sealed is None:
        return None
    text = personal_key(shards, secrets, user_id).decrypt(_FIELD, bytes(sealed))
    account = msgspec.json.decode(text, type=BankAccount)
    return BankChange(user_id, account, bytes(sealed), bank_digest(secrets, account))


def end_bank_change(shards: Shards, change: BankChange, *, taken: bool) -> None:
    """Puts it on file, or forgets it. Heard again, it changes nothing. Raises Retryable."""
    shards.control.run(
        _END, user=change.user_id, sealed=change.sealed, taken=taken, mark=change.mark
    )


def due_bank_changes(shards: Shards, most: int) -> list[int]:
    """Whose change nobody is at, the longest left first."""
    return [int(user_id) for (user_id,) in shards.control.run(_DUE, most=most)]


def bank_changes(shards: Shards, user_id: int) -> bool:
    """Whether a change of the user's bank account is under way. Raises Retryable."""
    return bool(shards.control.run(_UNDER_WAY, user=user_id))
