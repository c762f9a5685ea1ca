"""Search against the plain reading of its rule: every word of the query begins some word."""

import re

from hypothesis import given
from hypothesis import strategies as st

from functions.search.prefix_index import PrefixIndex
from functions.shared.domain.instruments import Instrument


def instrument(symbol: str, name: str) -> Instrument:
    facts = ("", "", "EQUITY", 500, 1, 10, 1_000_000, "EQ", 100_000, True)
    return Instrument(1, "NSE", symbol, name, *facts)


LISTED = [
    instrument("TCS", "Tata Consultancy Services Limited"),
    instrument("TATAMOTORS", "Tata Motors Limited"),
    instrument("TATASTEEL", "Tata Steel Limited"),
    instrument("M&M", "Mahindra & Mahindra Limited"),
    instrument("BAJAJ-AUTO", "Bajaj Auto Limited"),
    instrument("NIFTY 50", "Nifty 50"),
    instrument("MOT", "Another Company"),
]
INDEX = PrefixIndex(LISTED)


def find(query: str, limit: int = 50) -> list[str]:
    return [hit.symbol for hit in INDEX.find(query, limit)]


def test_the_exact_symbol_stands_on_top() -> None:
    assert find("mot") == ["MOT", "TATAMOTORS"]
    assert find("TCS") == ["TCS"]
    assert find("m&m")[0] == "M&M"
    assert find("nifty 50") == ["NIFTY 50"]


def test_symbols_stand_before_names() -> None:
    assert find("tata") == ["TATASTEEL", "TATAMOTORS", "TCS"]


def test_every_word_must_begin_a_word() -> None:
    assert find("tata mot") == ["TATAMOTORS"]
    assert find("  STEEL   ta ") == ["TATASTEEL"]
    assert find("auto") == ["BAJAJ-AUTO"]
    assert find("onsult") == []
    assert find("tata nothing") == []


def test_no_word_finds_nothing_and_the_limit_holds() -> None:
    assert find("") == find(" -& ./") == []
    assert len(find("l", limit=3)) == 3


@given(st.text(alphabet="abimost&- 5", max_size=8))
def test_answers_are_those_of_a_plain_scan(query: str) -> None:
    wanted = [w for w in re.split(r"[\s\-./&()]+", query.lower()) if w]
    expected = set()
    for each in LISTED:
        text = f"{each.symbol} {each.name}".lower()
        words = {each.symbol.lower(), *re.split(r"[\s\-./&()]+", text)}
        if wanted and all(any(word.startswith(w) for word in words) for w in wanted):
            expected.add(each.symbol)
    assert set(find(query)) == expected
