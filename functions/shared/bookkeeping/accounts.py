"""Opening and funding an account. Idempotent: asked twice, it is done once."""

from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from functions.shared.domain.errors import Conflict
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import FundsFacts

_OPEN = "SELECT ledger.open_account(:user_id, :now)"
_DEPOSIT = (
    "SELECT outcome, funds, seq FROM ledger.deposit(:user_id, :client_id, :amount, :today, :now)"
)
_funds = msgspec.json.Decoder(FundsFacts)


@dataclass(frozen=True, slots=True)
class Deposited:
    """What a deposit left behind; `replayed` when it had been booked before."""

    funds: FundsFacts
    seq: int
    replayed: bool


def open_account(shards: Shards, user_id: int, now: datetime) -> int:
    """Opens the user's account in the ledger if it isn't open. Returns the account's seq."""
    seq: int = shards.of_user(user_id).call(_OPEN, user_id=user_id, now=now)[0][0]
    return seq


def deposit(
    shards: Shards, user_id: int, client_id: str, amount: int, today: date, now: datetime
) -> Deposited:
    """Books money received, `amount` in paise. Raises Conflict when the id was used for another
    amount and NotFound when there is no such account."""
    outcome, funds, seq = shards.of_user(user_id).call(
        _DEPOSIT, user_id=user_id, client_id=client_id, amount=amount, today=today, now=now
    )[0]
    if outcome == "KEY_REUSED":
        raise Conflict("ID_REUSED", f"client_id {client_id!r} was used for another amount")
    return Deposited(_funds.decode(funds), seq, outcome == "REPLAY")
