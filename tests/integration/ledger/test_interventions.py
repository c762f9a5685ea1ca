"""What officers set where orders are placed: an account's state and limits, and halts."""

from collections.abc import Callable, Iterator

import pytest

from functions.shared.bookkeeping.accounts import order_rates
from functions.shared.bookkeeping.intervening import (
    AccountLimits,
    Kind,
    account_setting,
    encode_limits,
    halts_known,
    intervene,
    set_halt,
)
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.errors import NotFound
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.support.ledger import ACME, LAKH, NOON, RUPEE, TODAY, Trader
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release, stopped

NewTrader = Callable[..., Trader]
MARKET = ""


def codes(placed: object) -> list[object]:
    return [rule["code"] for rule in placed.rules]  # type: ignore[attr-defined]


def set_on(trader: Trader, entry: int, kind: Kind, value: str | None) -> int:
    return intervene(trader.shards, trader.user_id, entry, kind, value, trader.now)


@pytest.fixture
def halt(new_trader: NewTrader) -> Iterator[Callable[[str, str], None]]:
    """Halts on every shard under entries of their own; all is lifted behind the test."""
    shards = new_trader().shards
    latest = max((n for d in shards.databases for n in halts_known(d).values()), default=0)

    def said(symbol: str, state: str) -> None:
        nonlocal latest
        latest += 1
        for database in shards.databases:
            set_halt(database, symbol, state, latest)  # type: ignore[arg-type]

    yield said
    for symbol in (MARKET, ACME.symbol):
        said(symbol, "ACTIVE")


def test_an_entry_is_one_event_and_the_latest_is_the_last_word(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    trader = Trader(shards, 4711, LAKH)  # in books of its own: all of them are verified below
    first = set_on(trader, 10, "STATE", '{"state":"HALTED"}')
    assert first == trader.funds().seq
    assert set_on(trader, 10, "STATE", '{"state":"HALTED"}') == first
    assert set_on(trader, 9, "STATE", '{"state":"ACTIVE"}') == 0
    assert set_on(trader, 9, "LIMITS", "[null,null,null,null,3]") == first + 1
    assert trader.funds().seq == first + 1
    setting = account_setting(trader.shards, trader.user_id, TODAY)
    assert (setting.state, setting.limits) == ("HALTED", AccountLimits(per_day=3))
    with pytest.raises(NotFound):
        intervene(trader.shards, trader.user_id + 64_000, 1, "STATE", '{"state":"ACTIVE"}', NOON)
    assert rebuild_ledger.run(databases.urls(OWNER)).problems == []
    assert verify_ledger.run(databases.urls(OWNER)).problems == []


def test_a_halted_symbol_takes_nothing_and_a_reducing_one_what_closes(
    new_trader: NewTrader, halt: Callable[[str, str], None]
) -> None:
    trader = new_trader()
    trader.own(10)
    trader.fill(trader.buy(5, product=Product.MIS), 5)
    resting = trader.buy(1)
    halt(ACME.symbol, "HALTED")
    assert codes(trader.place(Side.SELL, 1)) == ["TRADING_HALTED"]
    assert codes(trader.place(Side.BUY, 1)) == ["TRADING_HALTED"]
    trader.cancel(resting)  # passes
    halt(ACME.symbol, "REDUCING")
    assert codes(trader.place(Side.BUY, 1)) == ["TRADING_REDUCING"]
    beyond = trader.place(Side.SELL, 6, product=Product.MIS)
    assert (codes(beyond), beyond.rules[0]["largest_quantity"]) == (["TRADING_REDUCING"], 5)
    assert trader.place(Side.SELL, 5, product=Product.MIS).outcome == "ACCEPTED"
    assert trader.place(Side.SELL, 1).outcome == "ACCEPTED"
    halt(ACME.symbol, "ACTIVE")
    assert trader.place(Side.BUY, 1).outcome == "ACCEPTED"


def test_what_the_broker_holds_for_a_client_waits_a_halt_of_the_market_out(
    new_trader: NewTrader, halt: Callable[[str, str], None]
) -> None:
    trader = new_trader()
    trader.own(10)
    trader.fill(trader.buy(5, product=Product.MIS), 5)
    waiting = stopped(trader, Side.SELL, 5, 95)
    before = trader.funds().seq
    halt(MARKET, "HALTED")
    assert release(trader, waiting, 95).outcome == "PUT_OFF"
    square_off = trader.place(Side.SELL, 5, key="SQ-20260710-1-1", product=Product.MIS)
    assert (square_off.outcome, square_off.order) == ("PUT_OFF", None)
    assert trader.funds().seq == before
    halt(MARKET, "ACTIVE")
    again = trader.place(Side.SELL, 5, key="SQ-20260710-1-1", product=Product.MIS)
    assert again.outcome == "ACCEPTED"
    assert release(trader, waiting, 95).outcome == "RELEASED"


def test_what_waits_for_a_halted_account_waits_on(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    waiting = stopped(trader, Side.SELL, 5, 95)
    set_on(trader, 1, "STATE", '{"state":"HALTED"}')
    before = trader.funds().seq
    assert release(trader, waiting, 95).outcome == "PUT_OFF"
    assert trader.funds().seq == before
    set_on(trader, 2, "STATE", '{"state":"ACTIVE"}')
    assert release(trader, waiting, 95).outcome == "RELEASED"


def test_an_account_has_limits_below_those_of_everybody(new_trader: NewTrader) -> None:
    trader = new_trader(account_class=AccountClass.RETAIL)
    trader.own(10)
    limits = AccountLimits(order_value=500 * RUPEE, open_orders=2, per_minute=50)
    set_on(trader, 1, "LIMITS", encode_limits(limits))
    large = trader.place(Side.BUY, 6)
    assert codes(large) == ["ORDER_VALUE_TOO_LARGE"]
    assert trader.place(Side.SELL, 6, 101).outcome == "ACCEPTED"  # what closes is not in the way
    fits = trader.place(Side.BUY, int(str(large.rules[0]["largest_quantity"])))
    assert fits.outcome == "ACCEPTED"
    assert codes(trader.place(Side.BUY, 1)) == ["TOO_MANY_OPEN_ORDERS"]
    rates = order_rates(trader.shards, trader.user_id, TODAY)
    assert rates is not None
    assert (rates.per_second, rates.per_minute) == (10, 50)
    set_on(trader, 2, "LIMITS", encode_limits(AccountLimits(per_second=1)))
    assert trader.place(Side.BUY, 1).outcome == "RATE_LIMITED"
    set_on(trader, 3, "LIMITS", None)
    assert account_setting(trader.shards, trader.user_id, TODAY).limits == AccountLimits()
