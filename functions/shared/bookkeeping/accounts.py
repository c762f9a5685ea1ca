"""Opening and funding an account. Idempotent: asked twice, it is done once."""

from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.errors import Conflict
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import FundsFacts

_OPEN = "SELECT ledger.open_account(:user_id, :now, :account_class)"
_DEPOSIT = (
    "SELECT outcome, funds, seq FROM ledger.deposit(:user_id, :client_id, :amount, :today, :now)"
)
_REGISTER = (
    "SELECT ledger.register_algo(:user_id, :valid_from, :valid_to, :algo_id, :per_second,"
    " :per_minute, :per_day)"
)
_RATES = (
    "SELECT a.class, least(r.per_second, a.limits[3]), least(r.per_minute, a.limits[4]),"
    " least(r.per_day, a.limits[5]), r.valid_from, r.source"
    " FROM ledger.account_on(:user_id, :today) a,"
    " LATERAL ledger.rates_of(a.user_id, a.class, :today) r"
)
_COUNTED = "SELECT second, minute, day FROM ledger.orders_counted(:user_id, :now)"
_funds = msgspec.json.Decoder(FundsFacts)


@dataclass(frozen=True, slots=True)
class Registration:
    """A client's strategy as the exchange registered it, from one day through another."""

    valid_from: date
    valid_to: date
    algo_id: str
    per_second: int
    per_minute: int
    per_day: int


@dataclass(frozen=True, slots=True)
class OrderRates:
    """The most orders an account of the class may place, and the row that says so."""

    account_class: str
    per_second: int
    per_minute: int
    per_day: int
    valid_from: date
    source: str


@dataclass(frozen=True, slots=True)
class OrdersCounted:
    """How many orders count for an account's rate by now."""

    second: int
    minute: int
    day: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """What a deposit left behind; `replayed` when it had been booked before."""

    funds: FundsFacts
    seq: int
    replayed: bool


def open_account(
    shards: Shards,
    user_id: int,
    now: datetime,
    account_class: AccountClass = AccountClass.RETAIL,
) -> int:
    """Opens the user's account in the ledger if it isn't open, as an account of that class. Returns
    the account's seq."""
    seq: int = shards.of_user(user_id).call(
        _OPEN, user_id=user_id, now=now, account_class=account_class.value
    )[0][0]
    return seq


def register_algo(shards: Shards, user_id: int, registration: Registration) -> None:
    """Lets a REGISTERED_ALGO account place at its strategy's registered rate. A registration from
    the same day stands as it was first told."""
    shards.of_user(user_id).call(
        _REGISTER,
        user_id=user_id,
        valid_from=registration.valid_from,
        valid_to=registration.valid_to,
        algo_id=registration.algo_id,
        per_second=registration.per_second,
        per_minute=registration.per_minute,
        per_day=registration.per_day,
    )


def order_rates(shards: Shards, user_id: int, today: date) -> OrderRates | None:
    """The most orders the account may place, None for one without limits. Raises NotFound."""
    rows = shards.of_user(user_id).call(_RATES, user_id=user_id, today=today)
    return OrderRates(*rows[0]) if rows else None


def orders_counted(shards: Shards, user_id: int, now: datetime) -> OrdersCounted:
    """Those of the last second and minute by the wall clock, and of the business clock's day.
    Raises Retryable."""
    [row] = shards.of_user(user_id).run(_COUNTED, user_id=user_id, now=now)
    return OrdersCounted(*row)


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
