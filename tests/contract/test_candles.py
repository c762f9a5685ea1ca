"""What the candles' store does: on the embedded ClickHouse, and on a server at CLICKHOUSE_URL."""

import os
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.shared.domain.calendar import INDIA
from functions.shared.domain.errors import Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores.candles import Candle, CandleStore, DayCandle
from functions.shared.stores.clickhouse import open_clickhouse
from infra.local.clickhouse import is_installed
from infra.local.ports import free_ports
from tests.support.clickhouse import EmbeddedUnderTest, embedded_clickhouse

SERVER = os.environ.get("CLICKHOUSE_URL")
SINCE = datetime(2026, 7, 10, 3, 45, tzinfo=UTC)
FIRST = int(SINCE.timestamp()) // 60
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedUnderTest]:
    if not is_installed():
        pytest.skip("`make setup CLICKHOUSE=yes` installs the embedded ClickHouse")
    with embedded_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture(params=["embedded", "server"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of an empty store."""
    if request.param == "embedded":
        running: EmbeddedUnderTest = request.getfixturevalue("embedded")
        for table in ("candle", "day_candle"):
            open_clickhouse(running.url).run(f"DROP TABLE IF EXISTS {table}")
        yield running.url
        return
    if SERVER is None:
        pytest.skip("CLICKHOUSE_URL is not set")
    name = f"outcry_{uuid.uuid4().hex}"
    yield f"{SERVER.rstrip('/')}/{name}"
    open_clickhouse(SERVER).run(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def candles(address: str) -> Iterator[CandleStore]:
    store = CandleStore.open(address)
    yield store
    store.close()


def candle(symbol: str = "M&M", after: int = 0, volume: int = 10, **more: int) -> Candle:
    given = {"open": 4, "high": 9, "low": 3, "close": 5, "turnover": 50, "trades": 2} | more
    return Candle(symbol=symbol, minute=FIRST + after, volume=volume, **given)


def test_an_empty_store_has_nothing(candles: CandleStore) -> None:
    assert candles.of_symbol("M&M", SINCE, SINCE + HOUR, 10) == []
    assert candles.volumes(["M&M"], SINCE, SINCE + HOUR) == {}
    assert candles.recorded(SINCE, SINCE + HOUR) == set()


def test_a_symbols_candles_of_a_span_come_oldest_first_the_latest_of_too_many(
    candles: CandleStore,
) -> None:
    mine = [candle(after=n, turnover=2**62 + n, high=2**53 + 1) for n in (59, 0, 2, 1, 60)]
    candles.write([*mine, candle("it's \\ 'X", 1)])
    assert candles.of_symbol("M&M", SINCE, SINCE + HOUR, 10) == sorted(mine)[:4]
    assert candles.of_symbol("M&M", SINCE, SINCE + HOUR, 2) == sorted(mine)[2:4]
    assert candles.of_symbol("it's \\ 'X", SINCE, SINCE + HOUR, 2) == [candle("it's \\ 'X", 1)]
    assert candles.of_symbol("M&M", SINCE + HOUR, SINCE + 2 * HOUR, 2) == [mine[-1]]


def test_a_minute_written_by_several_counts_once_as_who_saw_most_of_it_had_it(
    candles: CandleStore,
) -> None:
    whole, part = candle(volume=100), candle(volume=40, close=8)
    index = candle("NIFTY 50", volume=0, turnover=0, trades=7)
    for written in (part, whole, part, whole):
        candles.write([written])
    candles.write([index, index._replace(trades=3, close=1), index])
    assert candles.of_symbol("M&M", SINCE, SINCE + HOUR, 10) == [whole]
    assert candles.of_symbol("NIFTY 50", SINCE, SINCE + HOUR, 10) == [index]
    assert candles.volumes(["M&M"], SINCE, SINCE + HOUR) == {"M&M": {FIRST: 100}}
    candles.write([whole._replace(volume=101, trades=3)])  # a late trade
    assert candles.volumes(["M&M"], SINCE, SINCE + HOUR) == {"M&M": {FIRST: 101}}


def test_volumes_are_told_by_symbol_and_minute_and_recorded_minutes_of_all(
    candles: CandleStore,
) -> None:
    candles.write([candle("A", n, 10 + n) for n in range(3)] + [candle("B", 7), candle("C", 9)])
    assert candles.volumes(["A", "B", "Z"], SINCE, SINCE + HOUR) == {
        "A": {FIRST: 10, FIRST + 1: 11, FIRST + 2: 12},
        "B": {FIRST + 7: 10},
    }
    assert candles.recorded(SINCE + timedelta(minutes=2), SINCE + timedelta(minutes=9)) == {
        FIRST + 2, FIRST + 7,
    }  # fmt: skip


def test_a_day_is_what_its_minutes_came_to_however_often_it_is_made(candles: CandleStore) -> None:
    first, last = candle(after=0, open=7, high=12, volume=5), candle(after=300, low=2, close=6)
    candles.write([last, first, candle(after=1, high=10), first])
    candles.write([candle(after=24 * 60, volume=1), candle("OTHER")])
    midnight = datetime(2026, 7, 10, tzinfo=INDIA)
    until = midnight + timedelta(days=1)
    for _ in range(2):
        candles.keep_days(midnight, until)
    day = DayCandle(date(2026, 7, 10), 7, 12, 2, 6, volume=25, turnover=150, trades=6)
    assert candles.days("M&M", date(2026, 7, 1), date(2026, 7, 31)) == [day]
    candles.write([candle(after=301, high=99, volume=1)])  # it came late
    candles.keep_days(midnight, until + timedelta(days=1))
    told = candles.days("M&M", date(2026, 7, 10), date(2026, 7, 11))
    assert [(each.day.day, each.high, each.volume) for each in told] == [(10, 99, 26), (11, 9, 1)]
    assert candles.days("M&M", date(2026, 7, 12), date(2026, 7, 31)) == []


def test_minutes_go_after_so_many_days_and_what_the_day_came_to_stays(
    candles: CandleStore, address: str
) -> None:
    """A month goes as a whole, by the server's own clock."""
    now = datetime.now(UTC)
    old = candle(after=int((now - timedelta(days=200)).timestamp()) // 60 - FIRST)
    new = candle(after=int(now.timestamp()) // 60 - FIRST)
    candles.write([old, new])
    candles.keep_days(now - timedelta(days=210), now - timedelta(days=190))
    long_ago, later = now - timedelta(days=400), now + timedelta(days=1)
    for days, kept in ((300, [old, new]), (100, [new]), (300, [new])):
        store = CandleStore.open(address, days)
        assert store.recorded(now, later) <= {new.minute}
        open_clickhouse(address).run("OPTIMIZE TABLE candle FINAL")
        assert store.of_symbol("M&M", long_ago, later, 9) == kept
        store.close()
    assert len(candles.days("M&M", long_ago.date(), now.date())) == 1


def test_nothing_written_is_no_write(candles: CandleStore) -> None:
    candles.write([])
    assert candles.recorded(SINCE, SINCE + HOUR) == set()


def test_the_embedded_store_outlives_a_kill_and_is_retryable_meanwhile(
    embedded: EmbeddedUnderTest,
) -> None:
    store = CandleStore.open(embedded.url)
    store.write([candle("KEPT")])
    embedded.stop(signal.SIGKILL)
    with pytest.raises(Retryable):
        store.write([candle("KEPT", 1)])
    embedded.start()
    assert store.of_symbol("KEPT", SINCE, SINCE + HOUR, 9) == [candle("KEPT")]
    assert embedded.stop() == 0
    embedded.start()
    with pytest.raises(Retryable, match="401"):
        CandleStore.open(embedded.url.replace("a-token", "another")).write([candle()])


def test_a_server_that_is_away_is_retryable() -> None:
    with pytest.raises(Retryable):
        CandleStore.open(f"http://default:@127.0.0.1:{free_ports(1)[0]}").write([candle()])


@pytest.mark.parametrize(
    "url", ["", "clickhouse://h:1", "http://h", "embedded://127.0.0.1", "http://h:1/a;b"]
)
def test_an_address_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_CLICKHOUSE_URL"):
        CandleStore.open(url)


def test_minutes_together_begin_with_the_session_and_end_with_the_day(candles: CandleStore) -> None:
    midnight = datetime(2026, 7, 10, tzinfo=INDIA)
    first = int(midnight.timestamp()) // 60
    minutes = (
        0,
        14,
        15,
        9 * 60 + 14,
        9 * 60 + 15,
        10 * 60 + 14,
        10 * 60 + 15,
        24 * 60 - 1,
        24 * 60,
    )
    candles.write(
        [
            Candle("TCS", first + m, 10 + n, 20 + n, 5 - n, 12 + n, 100, 1, 1)
            for n, m in enumerate(minutes)
        ]
    )
    day = timedelta(days=1)
    bars = candles.together("TCS", 60, 9 * 60 + 15, midnight, midnight + 2 * day, 100)
    begins = [(bar.begins // 60 - first, bar.open, bar.high, bar.low, bar.close, bar.volume)
              for bar in bars]  # fmt: skip
    assert begins == [
        (0, 10, 21, 4, 13, 200),
        (15, 12, 22, 3, 14, 100),
        (8 * 60 + 15, 13, 23, 2, 15, 100),
        (9 * 60 + 15, 14, 25, 0, 17, 200),
        (10 * 60 + 15, 16, 26, -1, 18, 100),
        (23 * 60 + 15, 17, 27, -2, 19, 100),
        (24 * 60, 18, 28, -3, 20, 100),
    ]
    assert [b.begins // 60 - first for b in candles.together(
        "TCS", 1, 9 * 60 + 15, midnight, midnight + day, 100)] == list(minutes[:-1])  # fmt: skip
    assert len(candles.together("TCS", 5, 9 * 60 + 15, midnight, midnight + day, 3)) == 3
    made = candles.days_of_minutes("TCS", midnight, midnight + 2 * day)
    assert [(each.day, each.open, each.high, each.low, each.close) for each in made] == [
        (date(2026, 7, 10), 10, 27, -2, 19),
        (date(2026, 7, 11), 18, 28, -3, 20),
    ]
    candles.keep_days(midnight, midnight + 2 * day)
    year = (date(2026, 7, 1), date(2026, 7, 11))
    assert candles.ranges(["TCS", "M&M"], *year) == {"TCS": (28, -3)}
    assert candles.ranges(["TCS"], date(2026, 7, 11), date(2026, 7, 11)) == {"TCS": (28, -3)}
    assert candles.ranges(["TCS"], date(2026, 7, 12), date(2026, 7, 13)) == {}
