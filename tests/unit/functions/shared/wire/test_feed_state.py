"""The feed's pulse and the day's figures: read back as written, refused when they are not ours."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.day_figures import (
    DayFigures,
    day_figures_key,
    decode_day_figures,
    encode_day_figures,
)
from functions.shared.wire.feed_state import FeedState, decode_feed_state, encode_feed_state
from functions.shared.wire.quotes import PARTITIONS, partition_of_symbol, partition_tag

WHOLE = st.integers(0, 2**62)


@given(WHOLE, st.frozensets(st.integers(0, PARTITIONS - 1)), WHOLE)
def test_a_pulse_is_read_back(fence: int, stale: frozenset[int], at: int) -> None:
    state = FeedState(fence=fence, stale=stale, at=at)
    assert decode_feed_state(encode_feed_state(state)) == state
    assert state.is_stale("M&M") is (partition_of_symbol("M&M") in stale)


@given(st.tuples(WHOLE, WHOLE, WHOLE, WHOLE, WHOLE))
def test_a_days_figures_are_read_back(values: tuple[int, int, int, int, int]) -> None:
    opened, high, low, close, volume = values
    figures = DayFigures(open=opened, high=high, low=low, close=close, volume=volume)
    assert decode_day_figures(encode_day_figures(figures)) == figures


def test_a_days_figures_lie_beside_the_quote() -> None:
    number = partition_of_symbol("M&M")
    assert (
        day_figures_key("M&M", date(2026, 7, 10)) == f"ohlc:{partition_tag(number)}:M&M:2026-07-10"
    )


@given(st.binary(max_size=40))
def test_what_is_no_pulse_and_no_figures_is_refused(data: bytes) -> None:
    for decode in (decode_feed_state, decode_day_figures):
        with pytest.raises(PeerProtocolError):
            decode(data)


@pytest.mark.parametrize(
    "data", [b'{"v":2,"fence":1,"at":1}', b'{"v":1,"fence":1,"at":1,"stale":[16]}']
)
def test_another_version_or_partition_is_refused(data: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        decode_feed_state(data)
