"""A halt of the whole market over a real PostgreSQL and Valkey: the watch says it, the order path
heeds it. Each test has a trade date of its own: what was said of one stays.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.ingest import breaker
from edge.ingest.announced import Announced, PhaseTold
from edge.ingest.book import Book
from edge.ingest.breaker import BreakerWatch
from edge.ingest.entries import CHANGE, PREVIOUS_CLOSE, TRADE
from functions.shared.bookkeeping.plan_steps import advance
from functions.shared.bookkeeping.planning import PlanOf
from functions.shared.clock import micros, trade_date
from functions.shared.domain.errors import Retryable
from functions.shared.domain.market_halts import MarketHalt
from functions.shared.domain.sessions import Phase, SecurityClass
from functions.shared.stores.leases import INGEST, LedgerLeases
from functions.shared.stores.market_halts import last_halt
from functions.shared.stores.postgres import Shards
from functions.shared.wire.announcements import MarketNews
from functions.shared.wire.market_halts import HALT_KEY
from tests.integration.order_path.conftest import Client, OrderStores, opened_stores
from tests.integration.order_path.test_stops import release, shown, work
from tests.support.bank import BankProcess
from tests.support.postgres import PostgresUnderTest

STOP: dict[str, Any] = {"type": "STOP", "price": ..., "trigger_price": "1550.00"}


def at(day: int, time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-{day:02}T{time}+05:30").astimezone(UTC)


class Watched:
    """A watch with an index and a venue in a test's hands. The index closed at 24,000.00 before."""

    def __init__(self, stores: OrderStores, holder: str = "one") -> None:
        self._stores = stores
        self.book = Book({"NIFTY 50": 1})
        self.announced = Announced(dict.fromkeys(("RELIANCE", "M&M"), SecurityClass.OTHER))
        self.shards = Shards(stores.edge_urls, "halts")
        self.fence = LedgerLeases(self.shards.control).take([INGEST], holder, 600)
        self.watch = BreakerWatch(
            self.book, self.announced, self.shards, stores.valkey, stores.clock,
            lambda: self.fence, lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip

    def index(self, level: str) -> None:
        entries = [
            (CHANGE, kind, b"NIFTY 50", price, b"", b"", b"")
            for kind, price in ((PREVIOUS_CLOSE, b"24000.00"), (TRADE, level.encode()))
        ]
        self.book.apply(entries, micros(self._stores.clock.now()) // 1000)

    def venue(self, phase: Phase) -> None:
        self.announced.phase(PhaseTold(phase, None, self._stores.clock.now(), "told"))

    def look(self) -> MarketHalt | None:
        """One look; what stands then of the trade date."""
        asyncio.run(self.watch.look())
        halt = last_halt(self.shards.control)
        today = trade_date(self._stores.clock.now())
        return halt if halt is not None and halt.trade_date == today else None

    def news(self) -> list[MarketNews]:
        return [each for each in self.announced.take_news() if each.security_class is None]


@pytest.fixture(scope="module")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases of this module's own: a halt of a date is everybody's."""
    with opened_stores(postgres, bank) as made:
        yield made


@pytest.fixture
def watched(stores: OrderStores) -> Iterator[Watched]:
    made = Watched(stores)
    yield made
    if made.fence is not None:
        LedgerLeases(made.shards.control).release([INGEST], made.fence)
    made.shards.close()


def codes(answer: Any) -> list[str]:
    return [rule["code"] for rule in answer.body.get("rules", [])]


def halt_of(client: Client) -> Any:
    return client.ask("GET", "/v1/market/status").body["halt"]


@pytest.mark.parametrize(
    ("day", "time", "level", "percent", "stop"),
    [
        (13, "09:30:00", "21600.00", 10, 45),
        (14, "12:59:59", "26400.00", 10, 45),  # upwards
        (15, "13:00:00", "21600.00", 10, 15),
        (16, "14:29:59", "21000.00", 10, 15),
        (17, "09:30:00", "20400.00", 15, 105),
        (20, "13:59:59", "20400.00", 15, 45),
    ],
)
def test_a_falling_market_is_halted_by_the_table_and_opens_by_an_auction(
    client: Client, stores: OrderStores, watched: Watched,
    day: int, time: str, level: str, percent: int, stop: int,
) -> None:  # fmt: skip
    began = stores.clock.at = at(day, time)
    watched.index("21600.05" if percent == 10 else "20400.05")
    first = watched.look()
    assert first is None or first.level < percent  # a tick is missing
    watched.index(level)
    watched.look()
    since = began.isoformat(timespec="microseconds").replace("+00:00", "Z")
    told = halt_of(client)
    assert (told["phase"], told["level"], told["since"]) == ("HALTED", percent, since)
    assert (told["seconds_left"], told["source"]) == (stop * 60, "INDEX")
    refused = client.order("halted")
    assert (refused.status, codes(refused)) == (422, ["MARKET_HALTED"])
    rule = refused.body["rules"][0]
    assert (rule["value"], rule["limit"]) == (str(percent), told["resumes_at"])
    assert codes(client.order("now", type="MARKET", price=...)) == ["MARKET_HALTED"]
    stores.clock.at = began + timedelta(minutes=stop)
    watched.look()
    assert halt_of(client)["phase"] == "REOPENING"
    assert client.order("limit").status == 202
    stores.quote("RELIANCE", 1500, age=timedelta(minutes=stop))  # as nothing traded meanwhile
    assert client.order("market", type="MARKET", price=...).status == 202
    assert codes(client.order("ioc", validity="IOC")) == ["VALIDITY_NOT_IN_PHASE"]
    stores.clock.at = began + timedelta(minutes=stop + 15)
    watched.look()
    assert (halt_of(client), client.order("open", validity="IOC").status) == (None, 202)
    phases = [(n.phase, n.halt is not None) for n in watched.news()]
    assert phases == [(Phase.OPEN, False)]  # of those nobody has taken, the last


@pytest.mark.parametrize(
    ("day", "time", "level"), [(21, "14:00:00", "20400.00"), (22, "10:00:00", "19200.00")]
)
def test_late_or_at_the_highest_level_the_market_is_closed_for_the_day(
    client: Client, stores: OrderStores, watched: Watched, day: int, time: str, level: str
) -> None:
    stores.clock.at = at(day, time)
    watched.index(level)
    watched.look()
    assert (halt_of(client)["resumes_at"], halt_of(client)["seconds_left"]) == (None, None)
    for later in ("15:15:00", "15:29:59"):
        stores.clock.at = at(day, later)
        assert codes(client.order(later.replace(":", ""))) == ["MARKET_HALTED"]
    status = client.ask("GET", "/v1/market/status").body
    assert {each["phase"] for each in status["sessions"]} == {"HALTED"}
    stores.clock.at = at(day + 1, "09:20:00")
    assert halt_of(client) is None


def test_the_lowest_level_after_half_past_two_halts_nothing(
    client: Client, stores: OrderStores, watched: Watched
) -> None:
    stores.clock.at = at(24, "14:30:00")
    watched.index("21600.00")
    watched.look()
    assert (halt_of(client), client.order("a").status) == (None, 202)
    status = client.ask("GET", "/v1/market/status").body["breaker"]
    assert status["index"] == "NIFTY 50"


def test_while_the_market_is_halted_cancels_pass_and_what_waits_goes_on_waiting(
    client: Client, stores: OrderStores, watched: Watched
) -> None:
    stores.clock.at = at(27, "10:00:00")
    resting = client.order("resting").body
    stop = client.order("stop", **STOP).body
    twap = client.ask("POST", "/v1/plans", {
        "client_id": "t", "symbol": "RELIANCE", "side": "BUY", "kind": "TWAP", "quantity": 9,
        "starts_at": "2026-07-27T04:35:00Z", "ends_at": "2026-07-27T06:05:00Z",
        "interval_minutes": 10,
    })  # fmt: skip
    assert twap.status == 202, twap.body
    plan = PlanOf(client.user_id, int(twap.body["plan_id"]))
    watched.index("21600.00")
    watched.look()
    assert client.ask("PATCH", f"/v1/orders/{resting['order_id']}", {
        "request_id": "m", "version": 1, "price": "1499.00"}).status == 422  # fmt: skip
    assert client.ask("DELETE", f"/v1/orders/{resting['order_id']}").status == 202
    stores.quote("RELIANCE", 1560)
    work(release(client, stop, 1560))
    assert shown(client, stop)["status"] == "TRIGGER_PENDING"
    stores.clock.at = at(27, "10:30:00")
    assert advance(stores, plan) == 0
    stores.valkey.delete(HALT_KEY)
    assert advance(stores, plan) == 0  # the ledger puts its slice off
    watched.look()
    stores.clock.at = at(27, "10:50:00")  # limit and market orders are collected; stops wait
    assert advance(stores, plan) == 0
    work(release(client, stop, 1560))
    assert shown(client, stop)["status"] == "TRIGGER_PENDING"
    stores.clock.at = at(27, "11:00:00")
    work(release(client, stop, 1560))
    assert shown(client, stop)["status"] == "PENDING"
    assert advance(stores, plan) > 0
    [slice_] = [o for o in client.ask("GET", "/v1/orders").body["items"] if o["parent_order_id"]]
    assert slice_["status"] == "PENDING"


def test_the_ledger_refuses_whatever_became_of_the_cache_and_a_preview_says_the_same(
    client: Client, stores: OrderStores, watched: Watched
) -> None:
    stores.clock.at = at(28, "10:00:00")
    watched.index("21600.00")
    watched.look()
    for known in (True, False):
        if not known:
            stores.valkey.delete(HALT_KEY)
        body = {"symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 1,
                "price": "1500.00"}  # fmt: skip
        preview = client.ask("POST", "/v1/orders/preview", body)
        assert codes(preview) == ["MARKET_HALTED"]
        refused = client.order(f"known-{known}")
        assert (refused.status, codes(refused)) == (422, ["MARKET_HALTED"])
        assert "circuit breaker, 10 %" in refused.body["rules"][0]["message"]
    watched.look()
    assert stores.valkey.exists(HALT_KEY)  # the next look writes it again


def test_the_venue_rules_over_the_table_from_when_it_speaks(
    client: Client, stores: OrderStores, watched: Watched
) -> None:
    stores.clock.at = at(29, "10:00:00")
    watched.venue(Phase.HALTED)
    watched.index("21600.00")
    watched.look()
    told = halt_of(client)
    assert (told["source"], told["level"], told["seconds_left"]) == ("VENUE", 10, 45 * 60)
    stores.clock.at = at(29, "10:50:00")
    watched.look()
    assert codes(client.order("still")) == ["MARKET_HALTED"]  # it has not said otherwise
    watched.venue(Phase.REOPENING)
    watched.look()
    assert client.order("collected").status == 202
    stores.clock.at = at(29, "10:55:00")
    watched.venue(Phase.OPEN)
    watched.look()
    assert (halt_of(client), client.order("open", validity="IOC").status) == (None, 202)


def test_two_watchers_and_one_that_was_killed_say_it_once_and_leave_nothing_unsaid(
    client: Client, stranger: Client, stores: OrderStores, watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stores.clock.at = at(30, "10:00:00")
    watched.index("21600.00")
    with monkeypatch.context() as killed:

        def die(*_: object) -> list[int]:
            raise Retryable("killed")

        killed.setattr(breaker, "spread_halt", die)
        watched.look()
    assert not stores.valkey.exists(HALT_KEY)
    successor = Watched(stores, "two")
    stores.clock.at = at(30, "10:00:05")
    assert successor.fence is None  # the first holds the lease: the second watches, and is silent
    successor.index("21600.00")
    before = successor.look()
    assert watched.fence is not None
    LedgerLeases(watched.shards.control).release([INGEST], watched.fence)
    successor.fence = LedgerLeases(successor.shards.control).take([INGEST], "two", 600)
    assert successor.look() == before  # it was said
    for database in stores.shards.databases:
        assert last_halt(database) == before
    for each, key in ((client, "a"), (stranger, "b")):
        assert "MARKET_HALTED" in codes(each.order(key))
    watched.index("20400.00")  # whose lease is gone, and who does not know yet
    assert watched.look() == before
    assert (watched.watch.failures, watched.watch.said) == (2, 1)
    assert successor.fence is not None
    LedgerLeases(successor.shards.control).release([INGEST], successor.fence)
    successor.shards.close()
