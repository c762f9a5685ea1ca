"""An index of instruments by prefix: of the symbol, and of each word of the name.

Invariant: every word of a query must begin some word of an answer; symbols come before names, the
shorter symbol first, so that what was typed most exactly stands on top.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from functions.shared.domain.instruments import Instrument

_WORD: Final = re.compile(r"[^\s\-./&()]+")
_AFTER_ANY_WORD: Final = "\U0010ffff"


class PrefixIndex:
    """Built once from the master; a query is two binary searches and a sort of its hits."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = tuple(instruments)
        self._words = [_words(instrument) for instrument in self._instruments]
        self._entries = sorted(
            (word, place) for place, words in enumerate(self._words) for word in words
        )

    def find(self, query: str, limit: int) -> list[Instrument]:
        """At most `limit` instruments, the best first; none for a query without a word."""
        whole = " ".join(query.lower().split())
        wanted = _WORD.findall(whole)
        if not wanted:
            return []
        rarest = max(wanted, key=len)  # the longest prefix leaves the fewest to look at
        hits = [
            place
            for place in self._places(rarest)
            if all(any(word.startswith(w) for word in self._words[place]) for w in wanted)
        ]
        hits.sort(key=lambda place: _rank(self._instruments[place], whole))
        return [self._instruments[place] for place in hits[:limit]]

    def _places(self, prefix: str) -> set[int]:
        start = bisect_left(self._entries, (prefix, 0))
        end = bisect_left(self._entries, (prefix + _AFTER_ANY_WORD, 0))
        return {place for _, place in self._entries[start:end]}


def _words(instrument: Instrument) -> set[str]:
    """The symbol whole and in parts (`m&m`, `m`), and the words of the name."""
    symbol, name = instrument.symbol.lower(), instrument.name.lower()
    return {symbol, *_WORD.findall(symbol), *_WORD.findall(name)}


def _rank(instrument: Instrument, whole: str) -> tuple[int, int, str]:
    symbol, name = instrument.symbol.lower(), instrument.name.lower()
    kind = 3
    if symbol == whole:
        kind = 0
    elif symbol.startswith(whole):
        kind = 1
    elif name.startswith(whole):
        kind = 2
    return kind, len(symbol), symbol
