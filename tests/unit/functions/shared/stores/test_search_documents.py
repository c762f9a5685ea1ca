"""How a name is read, and the order of equal matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.search_terms import (
    WHOLE_LETTERS,
    WORD_LETTERS,
    WORDS_MOST,
    asked_for,
    beginnings_of,
    typos_forgiven,
    whole_of,
    words_of,
)
from functions.shared.stores.search_documents import Found, Listing, Place, rank_of

TOKENS, AMOUNTS = st.integers(0, 2**31 - 1), st.integers(0, 2**22 - 1)


def listing(token: int, cap: int, turnover: int) -> Listing:
    found = Found(token=token, exchange="NSE", symbol="A", name="A", sector="", kind="EQUITY")
    return Listing(found=found, version=1, market_cap=cap, turnover=turnover)


@given(TOKENS, TOKENS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_no_two_share_a_rank_and_the_larger_never_stands_behind(
    one: int, other: int, cap: int, other_cap: int, turnover: int, other_turnover: int
) -> None:
    first, second = listing(one, cap, turnover), listing(other, other_cap, other_turnover)
    assert 0 <= rank_of(first) < 2**63
    assert (rank_of(first) == rank_of(second)) <= (one == other)
    if one == other:
        assert (cap, turnover) < (other_cap, other_turnover) or rank_of(first) >= rank_of(second)
    if one < other:
        assert rank_of(listing(one, cap, turnover)) > rank_of(listing(other, cap, turnover))


@given(st.text(max_size=64))
def test_whatever_is_asked_has_bounded_terms(text: str) -> None:
    asked = asked_for(text)
    assert (asked is None) == (words_of(text) == ())
    if asked is not None:
        assert len(asked.whole) <= WHOLE_LETTERS
        assert len(asked.words) <= WORDS_MOST
        assert all(0 < len(word) <= WORD_LETTERS for word in asked.words)


def test_a_name_is_read_without_its_signs_and_accents() -> None:
    assert words_of("Nestlé India (Ltd.)") == ("nestle", "india", "ltd")
    assert (whole_of("BAJAJ-AUTO"), words_of("M&M")) == ("bajajauto", ("m",))
    assert (asked_for(" & "), asked_for("")) == (None, None)
    assert beginnings_of("abc") == ["a", "ab", "abc"]
    assert [typos_forgiven("x" * length) for length in (3, 4, 7, 8)] == [0, 1, 1, 2]


@given(st.integers(0, 4), st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_as_it_was_written(match: int, rank: int) -> None:
    assert Place.parse(Place(match, rank).cursor()) == Place(match, rank)


@pytest.mark.parametrize("cursor", ["", "1", "-1", "5-1", "1--1", "1-x", f"1-{2**63}", "1-1-1"])
def test_another_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Place.parse(cursor)
