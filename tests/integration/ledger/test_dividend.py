"""Paying a dividend to everybody at once, by the command, on shards of the test's own."""

from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from functions.shared.clock import ClockFile, wall_now
from functions.shared.domain.orders import Product
from functions.shared.stores.postgres import Shards
from infra.command.dividend import Paid, pay_dividend
from infra.command.exits import Failure
from infra.local.home import Home, StoreAddresses
from infra.local.postgres import APPLICATION, OWNER, connect
from tests.support.ledger import LAKH, NOON, RUPEE, TODAY, Trader, price
from tests.support.postgres import ShardsUnderTest

MONDAY = date(2026, 7, 13)
PER_SHARE = price(2.5)


class Broker:
    """A home whose clock stands where the test sets it, and the command on its shards."""

    def __init__(self, home: Home, databases: ShardsUnderTest) -> None:
        self.home = home
        self.stores = StoreAddresses(
            postgres=[], postgres_app=databases.urls(APPLICATION), postgres_edge=[],
            valkey="", streams="", secrets="", objects="", mail="",
        )  # fmt: skip

    def at(self, day: date) -> "Broker":
        clock = ClockFile(wall=wall_now(), business=NOON + (day - TODAY))
        self.home.write(self.home.clock, msgspec.json.encode(clock))
        return self

    def pay(self, record_date: date, symbol: str = "ACME", per_share: int = PER_SHARE) -> Paid:
        return pay_dividend(self.home, self.stores, symbol, record_date, per_share)


@pytest.fixture
def broker(tmp_path: Path, databases: ShardsUnderTest) -> Broker:
    home = Home(tmp_path / "home")
    home.create()
    owner = connect(databases.urls(OWNER)[0])
    owner.run(
        "INSERT INTO market.instrument SELECT 1, exchange, 'ACME', name, isin, sector, kind, tick,"
        " lot, band_percent, previous_close FROM market.instrument WHERE symbol = 'RELIANCE'"
    )
    owner.close()
    return Broker(home, databases).at(MONDAY)


def test_holders_on_every_shard_are_paid_once(broker: Broker, shards: Shards) -> None:
    holders = [Trader(shards, user, LAKH) for user in (1, 40, 77)]
    for holder in holders:
        holder.own(100)
    Trader(shards, 2, LAKH)
    before = [holder.funds().cash for holder in holders]
    assert len({shards.number_of_user(holder.user_id) for holder in holders}) == 2
    assert broker.pay(MONDAY) == Paid(entitled=3, paid=3)
    assert broker.pay(MONDAY) == Paid(entitled=3, paid=0)
    assert [holder.funds().cash for holder in holders] == [cash + 250 * RUPEE for cash in before]


def test_another_amount_for_the_same_date_is_refused(broker: Broker, shards: Shards) -> None:
    Trader(shards, 1, LAKH).own(1)
    broker.pay(MONDAY)
    with pytest.raises(Failure, match="another dividend"):
        broker.pay(MONDAY, per_share=PER_SHARE + 1)


def test_a_dividend_waits_for_its_day(broker: Broker) -> None:
    with pytest.raises(Failure, match="not known"):
        broker.pay(MONDAY + timedelta(days=1))


def test_a_dividend_waits_for_what_the_days_end_has_yet_to_deliver(
    broker: Broker, shards: Shards
) -> None:
    trader = Trader(shards, 1, LAKH)
    trader.fill(trader.buy(10, 100, Product.MIS), 10)
    with pytest.raises(Failure, match="awaits delivery"):
        broker.pay(MONDAY)
    assert broker.pay(TODAY) == Paid(0, 0)


@pytest.mark.parametrize("symbol", ["NOSUCH", "NIFTY 50"])
def test_only_a_listed_share_pays(broker: Broker, symbol: str) -> None:
    with pytest.raises(Failure, match="no listed share"):
        broker.pay(MONDAY, symbol)
