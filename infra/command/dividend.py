"""`outcry ledger dividend`: pays a dividend to everybody who held the share before the record date.

Since trades settle on T+1 the ex-date is the record date: who held at the end of the day before it
is entitled, whenever the shares were sold since. Invariant: run again, it pays whom it had not paid
yet, and nobody twice; another amount for the same date is refused.
"""

from datetime import date
from typing import NamedTuple

from functions.shared.bookkeeping import settling
from functions.shared.clock import open_clock, trade_date
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from infra.command.exits import REFUSED, Failure
from infra.local.home import Home, StoreAddresses


class Paid(NamedTuple):
    """How many accounts were entitled, and how many of them were paid by this run."""

    entitled: int
    paid: int


def pay_dividend(
    home: Home, stores: StoreAddresses, symbol: str, record_date: date, per_share: int
) -> Paid:
    """Pays `per_share` (ten-thousandths of a rupee). Raises Failure when it can't be paid yet, and
    Retryable when a shard does not answer: run it again."""
    shards = Shards(stores.postgres_app, "dividend")
    try:
        return _pay(shards, home, symbol, record_date, per_share)
    finally:
        shards.close()


def _pay(shards: Shards, home: Home, symbol: str, record_date: date, per_share: int) -> Paid:
    now = open_clock(f"file://{home.clock}").now()
    today = trade_date(now)
    instrument = InstrumentMaster(shards.control).get(symbol)
    if instrument is None or instrument.kind != "EQUITY":
        raise Failure(f"{symbol} is no listed share", REFUSED)
    if record_date > today:
        raise Failure(f"who holds before {record_date} is not known on {today}", REFUSED)
    _refuse_undelivered(shards, instrument.symbol, record_date)
    entitled = paid = 0
    for database in shards.databases:
        if not settling.announce_dividend(database, instrument.symbol, record_date, per_share):
            raise Failure(f"another dividend of {symbol} was announced for {record_date}", REFUSED)
    for database in shards.databases:
        for user_id in settling.holders_before(database, instrument.symbol, record_date):
            entitled += 1
            paid += settling.pay_dividend(
                shards, user_id, instrument.symbol, record_date, today, now
            )
    return Paid(entitled, paid)


def _refuse_undelivered(shards: Shards, symbol: str, record_date: date) -> None:
    """Shares bought before the date that the day's end has yet to deliver would be left out."""
    for database in shards.databases:
        after = None
        while page := settling.left_open(database, record_date, after):
            for position in page:
                if (
                    position.symbol == symbol
                    and position.net > 0
                    and position.trade_date < record_date
                ):
                    raise Failure(f"{symbol} of {position.trade_date} awaits delivery", REFUSED)
            after = page[-1]
