"""Last values: only newer ones are taken, and the prices beside them are the same."""

from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.last_values import LastValues, picker
from tests.support.fanout import quote

TAKEN = st.lists(
    st.tuples(st.sampled_from(["S1", "S2", "M&M"]), st.integers(1, 9), st.integers(0, 400))
)


@given(TAKEN)
def test_of_each_symbol_the_newest_price_is_kept_in_whole_paise(
    taken: list[tuple[str, int, int]],
) -> None:
    last, newest = LastValues(), dict[str, tuple[int, int]]()
    for symbol, seq, ltp in taken:
        newer = ltp > 0 and seq > newest.get(symbol, (0, 0))[0]
        if newer:
            newest[symbol] = (seq, ltp)
        assert last.take(quote(symbol, seq, ltp)) is newer
    paise = picker(last.places(["S1", "S2", "M&M"]))(last.paise)
    prices = [newest.get(symbol, (0, 1))[1] for symbol in ("S1", "S2", "M&M")]
    assert list(paise) == [None if price % 100 else price // 100 for price in prices]
    assert {symbol: each.ltp for symbol, each in last.quotes.items()} == {
        symbol: ltp for symbol, (_, ltp) in newest.items()
    }


@given(st.lists(st.integers(0, 4), max_size=4).map(tuple))
def test_a_pick_takes_any_number_of_places(places: tuple[int, ...]) -> None:
    assert picker(places)("abcde") == tuple("abcde"[place] for place in places)
