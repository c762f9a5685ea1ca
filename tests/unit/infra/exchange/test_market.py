"""The simulated market: the same for the same seed, inside its bands, shown exactly."""

from datetime import UTC, datetime

from infra.exchange.bands import Band
from infra.exchange.book import Side
from infra.exchange.clock import Reading
from infra.exchange.engine import Engine
from infra.exchange.executions import Executions
from infra.exchange.floor import Floor
from infra.exchange.instruments import read_listing
from infra.exchange.market import Market
from infra.exchange.register import Register
from infra.exchange.reports import ExecType, ExecutionReport, OrdType, TimeInForce
from infra.exchange.requests import NewOrder
from infra.exchange.schedule import Schedule
from infra.exchange.timekeeper import Timekeeper
from infra.exchange.trading_day import TradingDay

LISTING = read_listing()
READING = Reading(datetime(2026, 11, 23, 6, tzinfo=UTC), "always-open")


class Hall:
    """A whole market without threads, files or sessions."""

    def __init__(self, seed: int = 1, rate: int = 20_000) -> None:
        self.executions = Executions(Register())
        self.floor = Floor(LISTING, self.executions)
        self.engine = Engine(self.floor, self.executions)
        self.day = TradingDay(LISTING, self.floor, self.engine, rate=rate, seed=seed)
        Timekeeper(self.floor, Schedule("always-open", seed)).advance(READING)
        self.day.open_books()
        reports, prints = self.executions.drain()
        assert not reports
        self.day.show(prints, set())


def run(day: TradingDay, seconds: float) -> list[tuple[str, list[str]]]:
    shown = day.take_batch()
    for _ in range(round(seconds * 100)):
        day.advance(0.01)
        more = True
        while more:
            _, more = day.work()
        shown += day.take_batch()
    return shown


def test_the_same_seed_gives_the_same_market() -> None:
    assert run(Hall(5).day, 0.5) == run(Hall(5).day, 0.5)


def test_another_seed_gives_another_market() -> None:
    assert run(Hall(5).day, 0.5) != run(Hall(6).day, 0.5)


def test_a_chosen_rate_is_the_number_of_entries() -> None:
    day = Hall(rate=20_000).day
    run(day, 1.0)
    assert 20_000 <= day.entries <= 20_500


def test_a_long_stall_is_shed_and_counted() -> None:
    day = Hall(rate=20_000).day
    day.advance(10.0)
    assert day.shed > 0.9 * 20_000 * 10 - 20_000 * 0.25 - 250 - 20_000


def test_fair_values_stay_inside_the_band() -> None:
    market = Market(LISTING, 3)
    for _ in range(20_000):
        market.step()
    for share, value in zip(LISTING.instruments, market.fair_values, strict=True):
        band = Band(share.reference_price, share.band_percent, share.tick)
        assert band.low < value < band.high


def test_the_index_moves_with_its_shares() -> None:
    market = Market(LISTING, 3)
    assert market.index_level() == LISTING.index.reference_price
    closes = [share.reference_price for share in LISTING.instruments]
    market.anchor(closes, [close * 101 // 100 for close in closes])
    assert abs(market.index_level() / LISTING.index.reference_price - 1.01) < 1e-4


def test_every_book_has_five_uncrossed_levels_a_side() -> None:
    hall = Hall()
    run(hall.day, 0.3)
    for board in hall.floor.boards.values():
        book = board.book
        bids, asks = book.depth(Side.BUY), book.depth(Side.SELL)
        assert len(bids) == len(asks) == 5
        assert bids[0][0] < asks[0][0]


def test_a_receiver_of_the_entries_holds_the_snapshot() -> None:
    day = Hall().day
    shown = run(day, 0.5)
    pictures: dict[str, dict[tuple[str, str], tuple[str, str]]] = {}
    for symbol, entries in shown:
        picture = pictures.setdefault(symbol, {})
        for entry in entries:
            tags = dict(field.split("=") for field in entry.split("\x01") if field)
            key = (tags["269"], tags.get("290", ""))
            if tags["279"] == "2":
                del picture[key]
            else:
                picture[key] = (tags.get("270", ""), tags.get("271", ""))
    for symbol, display in day.displays.items():
        snapshot = {}
        for entry in display.snapshot():
            tags = dict(field.split("=") for field in entry.split("\x01") if field)
            snapshot[tags["269"], tags.get("290", "")] = (tags.get("270", ""), tags.get("271", ""))
        snapshot.pop(("5", ""))
        if snapshot.get(("B", "")) == ("", "0"):
            snapshot.pop(("B", ""))
        assert pictures.get(symbol, {}) == snapshot


def test_a_resting_order_is_shown_and_fills_when_the_market_reaches_it() -> None:
    hall = Hall(rate=50_000)
    day = hall.day
    best = hall.floor.boards["RELIANCE"].book.best(Side.SELL)
    assert best is not None
    day.take_batch()
    hall.engine.handle(
        NewOrder(
            session="OUTCRY-O1",
            cl_ord_id="1",
            account="77",
            symbol="RELIANCE",
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=999_999,
            price=best,
            poss_dup=False,
            poss_resend=False,
            fault="",
        )
    )
    reports, prints = hall.executions.drain()
    day.show(prints, {"RELIANCE"})
    left = next(r for r in reversed(reports) if isinstance(r, ExecutionReport)).leaves
    assert 0 < left < 999_999
    entries = [entry for _, batch in day.take_batch() for entry in batch]
    assert any(f"271={left}\x01290=1\x01" in entry for entry in entries)
    later = []
    for _ in range(200):
        day.advance(0.01)
        reports, _ = day.work()
        later += reports
    assert any(isinstance(r, ExecutionReport) and r.exec_type is ExecType.TRADE for r in later)


def test_the_last_price_becomes_the_next_days_previous_close() -> None:
    day = Hall().day
    run(day, 0.5)
    last = day.displays["RELIANCE"].tape.last
    day.roll()
    tape = day.displays["RELIANCE"].tape
    assert (tape.previous_close, tape.volume, tape.last) == (last, 0, 0)
