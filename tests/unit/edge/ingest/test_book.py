"""The last-value book: the newest entry wins, and only what changed is taken out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.book import Book
from edge.ingest.entries import Entry
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.quotes import Quote, decode_value, encode_value


def entry(
    kind: str, price: str = "", size: str = "", position: str = "", action: str = "1"
) -> Entry:
    return (
        action.encode(),
        kind.encode(),
        b"TCS",
        price.encode(),
        size.encode(),
        position.encode(),
        b"",
    )


def quotes(book: Book) -> dict[str, Quote]:
    """What the book would publish now."""
    taken = [decode_value(encode_value(state.record())) for state in book.take_dirty()]
    return {quote.symbol: quote for quote in taken}


def test_levels_trades_and_figures_make_a_quote() -> None:
    book = Book({"TCS": 11536}, 100)
    book.replace(b"TCS", [entry("5", "3000"), entry("0", "2999.50", "10", "1")], 1_000)
    book.apply(
        [
            entry("1", "3000.50", "20", "1"),
            entry("2", "3000", "5"),
            entry("2", "3001", "15"),
            entry("B", size="20"),
        ],
        1_050,
    )
    quote = quotes(book)["TCS"]
    assert (quote.token, quote.seq, quote.timestamp_ms) == (11536, 101, 1_050)
    assert (quote.ltp, quote.last_quantity, quote.volume) == (30_010_000, 15, 20)
    assert (quote.open, quote.high, quote.low) == (30_000_000, 30_010_000, 30_000_000)
    assert (quote.bid, quote.ask, quote.close) == (29_995_000, 30_005_000, 30_000_000)
    assert quote.average == 30_007_500
    assert quotes(book) == {}


def test_a_deleted_level_is_gone_and_a_snapshot_replaces_all_levels() -> None:
    book = Book({}, 0)
    book.apply([entry("0", "10", "1", str(n)) for n in (1, 2, 3)], 1)
    book.apply([entry("0", position="3", action="2")], 2)
    assert len(quotes(book)["TCS"].bids) == 2
    book.replace(b"TCS", [entry("1", "11", "1", "1")], 3)
    quote = quotes(book)["TCS"]
    assert (quote.bids, quote.asks) == ([], [(110_000, 1, 0)])


def test_a_new_day_forgets_the_figures_of_the_old_one() -> None:
    book = Book({}, 0)
    book.apply([entry("5", "10"), entry("2", "11", "4"), entry("B", size="4")], 1)
    rolled = [entry("5", "11"), *(entry(kind, action="2") for kind in "478"), entry("B", size="0")]
    book.apply(rolled, 2)
    quote = quotes(book)["TCS"]
    assert (quote.open, quote.high, quote.low, quote.volume, quote.average) == (0, 0, 0, 0, 0)
    assert (quote.ltp, quote.close) == (110_000, 110_000)


def test_after_a_loss_every_symbol_is_dirty_again() -> None:
    book = Book({}, 0)
    book.apply([entry("2", "10", "1")], 1)
    taken = book.take_dirty()
    assert book.take_dirty() == set()
    book.mark_all()
    assert book.take_dirty() == taken


@pytest.mark.parametrize(
    "bad",
    [
        entry("2", "1e5", "1"),
        entry("2", "-1", "1"),
        entry("2", "", "1"),
        entry("0", "10", "1", "6"),
        entry("0", "10", "1"),
        entry("2", "10", "9" * 16),
        (b"0", b"2", b"\xff", b"10", b"1", b"", b""),
        (b"0", b"2", b"A" * 21, b"10", b"1", b"", b""),
    ],
)
def test_an_unreadable_entry_is_refused(bad: Entry) -> None:
    with pytest.raises(PeerProtocolError):
        Book({}, 0).apply([bad], 1)


@given(st.lists(st.tuples(st.sampled_from("01"), st.integers(1, 5), st.integers(1, 999))))
def test_the_last_entry_of_each_position_is_the_level(
    steps: list[tuple[str, int, int]],
) -> None:
    book = Book({}, 0)
    book.apply([entry(side, str(price), "1", str(at)) for side, at, price in steps], 1)
    last = {(side, at): price * 10_000 for side, at, price in steps}
    for quote in quotes(book).values():
        for side, first in (("0", 0), ("1", 15)):
            shown = [quote.levels[first + 3 * n] for n in range(5)]
            assert shown == [last.get((side, n + 1), 0) for n in range(5)]
