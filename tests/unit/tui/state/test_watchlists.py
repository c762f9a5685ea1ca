"""Watchlists: which is shown, and what an edit makes of one."""

from hypothesis import given
from hypothesis import strategies as st

from tui.client.prices import KeptWatchlist
from tui.state.watchlists import Edit, Watchlists, edited


def kept(name: str) -> KeptWatchlist:
    return KeptWatchlist(watchlist_id=name.lower(), name=name, version=1, symbols=["TCS"])


def test_what_is_shown_stays_shown_while_it_exists() -> None:
    lists = Watchlists().told([kept("A"), kept("B")]).beside(1)

    assert lists.told([kept("C"), kept("B")]).shown_id == "b"
    assert lists.told([kept("C")]).shown_id == "c"
    assert lists.told([kept("C"), kept("B")], "c").shown_id == "c"
    assert lists.told([]).shown is None


def test_lists_go_around() -> None:
    lists = Watchlists().told([kept("A"), kept("B")])

    assert lists.title == "A · 1/2"
    assert lists.beside(-1).title == "B · 2/2"
    assert lists.beside(2) == lists
    assert Watchlists().beside(1).title == "Watchlist"


symbols = st.lists(st.sampled_from("ABCDEF"), unique=True)


@given(symbols, st.sampled_from("ABCDEF"), st.booleans())
def test_an_edit_made_twice_is_made_once(before: list[str], symbol: str, is_added: bool) -> None:
    edit = Edit(symbol, is_added)
    after = edited(before, edit)

    assert edited(after, edit) == after
    assert (symbol in after) is is_added
    assert [each for each in after if each != symbol] == [each for each in before if each != symbol]
