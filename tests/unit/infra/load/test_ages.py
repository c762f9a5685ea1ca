"""Prices that a newer one replaced are timed as well, until the newer one came."""

import pytest

from edge.fanout.frames import array_frame
from edge.fanout.rendering import QUOTE, SNAPSHOT, render_ltp
from infra.load.ages import LEFT_OUT_MOST, Ages, Watch
from infra.load.dialects import OUTCRY
from tests.support.fanout import quote

#: Milliseconds since 1970.
START = 1_700_000_000_000


def price(seq: int, stamp: int, symbol: str = "S1", kind: str = QUOTE) -> bytes:
    return render_ltp(kind, quote(symbol, seq)._replace(timestamp_ms=stamp))


@pytest.fixture
def ages() -> Ages:
    found = Ages()
    found.counting = True
    return found


@pytest.fixture
def watch(ages: Ages) -> Watch:
    return Watch(OUTCRY.price, ages)


def read(watch: Watch, at_ms: int, *pieces: bytes) -> None:
    watch.read(array_frame(pieces), at_ms * 1_000)


def test_an_age_is_the_time_since_the_stamp(ages: Ages, watch: Watch) -> None:
    read(watch, START + 70, price(1, START), price(5, START + 40, "M&M"))
    assert (ages.counted.total, ages.replaced) == (2, 0)
    assert (ages.counted.percentile(50), ages.counted.greatest) == (30_015, 70_000)


def test_a_pause_of_the_node_makes_old_what_it_left_out(ages: Ages, watch: Watch) -> None:
    read(watch, START + 10, price(1, START))
    read(watch, START + 2_010, price(21, START + 2_000))
    # The newest is 10 ms old; the nineteen before it waited for 110 ms to 1,910 ms.
    assert (ages.counted.total, ages.replaced) == (21, 19)
    assert ages.counted.percentile(5) <= 10_010
    assert ages.counted.percentile(50) == pytest.approx(910_000, rel=0.001)
    assert ages.counted.greatest == 1_910_000


def test_a_new_numbering_is_no_pause(ages: Ages, watch: Watch) -> None:
    read(watch, START, price(1, START))
    read(watch, START + 100, price(LEFT_OUT_MOST + 3, START + 100))
    read(watch, START + 200, price(3, START + 200))
    assert (ages.counted.total, ages.replaced) == (3, 0)


def test_what_came_before_counting_is_known_but_not_counted(ages: Ages, watch: Watch) -> None:
    ages.counting = False
    read(watch, START + 10, price(1, START))
    ages.counting = True
    read(watch, START + 210, price(3, START + 200))
    assert (ages.counted.total, ages.counted.greatest, ages.replaced) == (2, 110_000, 1)


def test_a_snapshot_is_not_timed(ages: Ages, watch: Watch) -> None:
    read(watch, START + 10, price(1, START - 60_000, kind=SNAPSHOT))
    assert ages.counted.total == 0


def test_a_price_split_between_reads_is_timed_once(ages: Ages, watch: Watch) -> None:
    data = array_frame([price(1, START), price(1, START, "S2")])
    for end in range(1, len(data)):
        ages.begin()
        fresh = Watch(OUTCRY.price, ages)
        fresh.read(data[:end], START * 1_000)
        fresh.read(data[end:], START * 1_000)
        assert ages.counted.total == 2
