"""The book of price alerts asks for exactly what has come, once a version, and once a day."""

from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from edge.triggers.alerts import ASK_AGAIN_SECONDS, ASK_MOST, AlertBook, AlertEnded
from functions.shared.clock import INDIA, micros
from functions.shared.domain.price_alerts import AlertKind, value_of
from functions.shared.stores.price_alerts import WatchedAlert
from functions.shared.wire.quotes import PriceTick

TODAY = date(2026, 11, 23)
NOON_MS = micros(datetime(2026, 11, 23, 12, tzinfo=INDIA)) // 1000
DAY_MS = 86_400_000


def alert(
    number: int, kind: AlertKind, threshold: int, version: int = 1, fired_on: date | None = None
) -> WatchedAlert:
    return WatchedAlert(number, 7, version, "TCS", kind, threshold, fired_on)


def tick(ltp: int, close: int = 1_000_000, volume: int = 0, at_ms: int = NOON_MS) -> PriceTick:
    return PriceTick("TCS", 1, at_ms, ltp, ltp, ltp, close, volume)


def asked(book: AlertBook, price: PriceTick, now: float = 0.0) -> set[tuple[int, int]]:
    return {(c.alert_id, c.version) for c in book.trade(price, now, 0)}


def loaded(*alerts: WatchedAlert) -> AlertBook:
    book = AlertBook()
    book.load(alerts)
    return book


@given(
    st.lists(
        st.tuples(st.sampled_from(AlertKind), st.integers(-3_000, 3_000)), min_size=1, max_size=8
    ),
    st.lists(
        st.tuples(st.integers(1, 2_500), st.integers(0, 2_000), st.integers(0, 3_000)),
        min_size=1, max_size=8,
    ),
)  # fmt: skip
def test_each_alert_is_asked_for_by_the_first_price_that_came_to_it_and_no_other(
    wanted: list[tuple[AlertKind, int]], prices: list[tuple[int, int, int]]
) -> None:
    alerts = [alert(number, *each) for number, each in enumerate(wanted)]
    book, waiting = loaded(*alerts), {each.alert_id: each for each in alerts}
    for ltp, close, volume in prices:
        come = set()
        for each in list(waiting.values()):
            value = value_of(each.kind, ltp, close, volume)
            if value is not None and (
                value >= each.threshold if each.kind.rising else value <= each.threshold
            ):
                come.add((each.alert_id, 1))
                del waiting[each.alert_id]
        assert asked(book, tick(ltp, close, volume)) == come


def test_a_change_counts_in_full_hundredths_and_not_before() -> None:
    book = loaded(alert(1, AlertKind.CHANGE_BELOW, -300), alert(2, AlertKind.CHANGE_ABOVE, 300))
    assert asked(book, tick(970_001)) == set()
    assert asked(book, tick(970_000)) == {(1, 1)}
    assert asked(book, tick(1_029_999)) == set()
    assert asked(book, tick(1_030_000)) == {(2, 1)}


def test_what_is_not_answered_is_asked_again_a_while_and_then_by_the_next_price() -> None:
    book = loaded(alert(1, AlertKind.PRICE_ABOVE, 100))
    assert asked(book, tick(100)) == {(1, 1)}
    assert asked(book, tick(101)) == set()
    now = 0.0
    for _ in range(ASK_MOST - 1):
        now += ASK_AGAIN_SECONDS
        assert [c.alert_id for c in book.ask_again(now)] == [1]
    assert book.ask_again(now + ASK_AGAIN_SECONDS) == []
    assert asked(book, tick(102)) == {(1, 1)}


def test_one_that_repeats_waits_for_the_next_day_whatever_the_price() -> None:
    book = loaded(alert(1, AlertKind.PRICE_ABOVE, 100))
    assert asked(book, tick(100)) == {(1, 1)}
    assert book.watch(alert(1, AlertKind.PRICE_ABOVE, 100, 2, TODAY), 0, 0) == []
    assert book.ask_again(60.0) == []
    assert asked(book, tick(500)) == set()
    assert asked(book, tick(500, at_ms=NOON_MS + DAY_MS // 2 - 1)) == set()
    assert asked(book, tick(500, at_ms=NOON_MS + DAY_MS // 2)) == {(1, 2)}
    told = loaded(alert(1, AlertKind.PRICE_ABOVE, 100, 2, TODAY))  # as the next watcher begins
    assert told.symbols == ["TCS"]
    assert asked(told, tick(500)) == set()
    assert asked(told, tick(500, at_ms=NOON_MS + DAY_MS)) == {(1, 2)}


def test_an_alert_set_beyond_the_last_price_is_asked_for_at_once() -> None:
    book = loaded(alert(1, AlertKind.PRICE_ABOVE, 1_000))
    asked(book, tick(500))
    assert [c.alert_id for c in book.watch(alert(2, AlertKind.PRICE_BELOW, 600), 0, 0)] == [2]


def test_events_may_come_late_and_twice() -> None:
    book = loaded()
    for each in (2, 1, 2):
        book.watch(alert(1, AlertKind.PRICE_ABOVE, 100 * each, each), 0, 0)
    book.forget(AlertEnded(1, 1))
    assert asked(book, tick(150)) == set()
    assert asked(book, tick(200)) == {(1, 2)}
    book.forget(AlertEnded(1, 3))
    assert (len(book), book.symbols, book.ask_again(1e9)) == (0, [], [])
    assert asked(book, tick(200)) == set()


def test_an_old_price_tells_nothing_and_the_next_one_does() -> None:
    book = loaded(alert(1, AlertKind.PRICE_ABOVE, 100))
    late = NOON_MS * 1000 + 61_000_000
    assert book.trade(tick(100), 0, late) == []
    assert [c.alert_id for c in book.trade(tick(100, at_ms=late // 1000), 0, late)] == [1]


def test_what_was_dropped_while_its_day_ended_is_not_kept() -> None:
    book = loaded(alert(1, AlertKind.PRICE_ABOVE, 100, 2, TODAY))
    for version in range(3, 6):
        book.watch(alert(1, AlertKind.PRICE_ABOVE, 100, version, TODAY), 0, 0)
    book.forget(AlertEnded(1, 6))
    assert (len(book), book.symbols) == (0, [])
    assert asked(book, tick(500, at_ms=NOON_MS + DAY_MS)) == set()
