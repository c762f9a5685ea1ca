"""Orders of a share that has no last price: the feed is away, or nobody has traded it yet."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Database
from functions.shared.wire.feed_state import FEED_KEY, FeedState, encode_feed_state
from functions.shared.wire.quotes import partition_of_symbol
from infra.command.instruments import take_in
from tests.integration.order_path.conftest import Client, OrderStores, order_body

#: Of the NIFTY 500, and not traded by the exchange.
NEVER, BASED = "ZYDUSWELL", "LTFOODS"
DAY = date(2026, 7, 10)
MARKET = {"type": "MARKET", "price": ...}


@pytest.fixture
def vouched(stores: OrderStores) -> OrderStores:
    """Ingest says that the prices are those of the market."""
    stores.valkey.set(FEED_KEY, encode_feed_state(FeedState(fence=1, at=1)))
    return stores


@pytest.fixture
def based(stores: OrderStores) -> Iterator[None]:
    """The share has a base price of 500 rupees."""
    owner = Database(stores.owner_urls[0], "test")
    take_in(owner, [{"symbol": BASED, "base_price": 5_000_000}], DAY, DAY, "a list", dry_run=False)
    stores.instruments = InstrumentMaster(stores.shards.control)
    yield
    owner.close()


@pytest.mark.parametrize("body", [MARKET, {"price": "500.00"}])
def test_a_share_that_nobody_knows_a_price_of_takes_no_order_and_says_so(
    client: Client, vouched: OrderStores, body: dict[str, object]
) -> None:
    asked = order_body(symbol=NEVER, **body)
    preview = client.ask("POST", "/v1/orders/preview", asked)
    for answer in (client.order("a", symbol=NEVER, **body), preview):
        assert (answer.status, answer.body["code"]) == (422, "NEVER_TRADED"), answer.body
        assert answer.body["symbol"] == NEVER


@pytest.mark.parametrize("body", [MARKET, {"price": "500.00"}])
def test_while_nobody_vouches_for_the_feed_it_may_have_one(
    client: Client, stores: OrderStores, body: dict[str, object]
) -> None:
    partition = partition_of_symbol(NEVER)
    for told in (None, FeedState(fence=1, at=1, stale=frozenset({partition}))):
        if told is not None:
            stores.valkey.set(FEED_KEY, encode_feed_state(told))
        answer = client.order("a", symbol=NEVER, **body)
        assert (answer.status, answer.body["code"]) == (503, "NO_PRICE"), answer.body


@pytest.mark.usefixtures("based")
def test_a_base_price_is_what_its_first_orders_are_judged_by(
    client: Client, vouched: OrderStores
) -> None:
    bought = client.order("a", symbol=BASED, quantity=1, **MARKET)
    assert bought.status == 202, bought.body
    beyond = client.order("b", symbol=BASED, quantity=1, price="900.00")
    assert [rule["code"] for rule in beyond.body["rules"]] == ["PRICE_OUTSIDE_BAND"]
    vouched.valkey.delete(FEED_KEY)
    assert client.order("c", symbol=BASED, quantity=1, **MARKET).body["code"] == "NO_PRICE"


def test_a_price_that_did_not_move_for_long_counts_while_the_feed_is_vouched_for(
    client: Client, vouched: OrderStores
) -> None:
    vouched.quote("RELIANCE", 1500, age=timedelta(minutes=5))
    assert client.order("a", **MARKET).status == 202


def test_a_share_of_the_feed_without_a_quote_waits_for_it(
    client: Client, vouched: OrderStores
) -> None:
    assert client.order("a", symbol="TCS", **MARKET).body["code"] == "NO_PRICE"
