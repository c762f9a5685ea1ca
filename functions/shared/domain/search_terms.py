"""How a name is read for the search, alike for what is listed and for what is asked.

Invariant: case, accents, punctuation and spaces never decide: BAJAJ-AUTO is found by `bajaj auto`,
`bajajauto` and `bajaj-auto`. An index holds and is asked for nothing longer than the bounds below,
so that every engine answers the same.
"""

import re
import unicodedata
from typing import Final, NamedTuple

#: Letters of a word and of a whole name that count.
WORD_LETTERS: Final = 20
WHOLE_LETTERS: Final = 40
#: Words of a query that count; a query has 64 characters at most.
WORDS_MOST: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")
#: From how many letters on a word may have so many typos: in shorter ones any word would do.
_ONE_TYPO_FROM, _TWO_TYPOS_FROM = 4, 8


class Asked(NamedTuple):
    """A query: all of it without its gaps, and its words."""

    whole: str
    words: tuple[str, ...]


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name, each once, in their order."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(dict.fromkeys(word[:WORD_LETTERS] for word in _WORD.findall(bare)))


def whole_of(text: str) -> str:
    """The name without its gaps and signs: `m&m` is `mm`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isalnum())[:WHOLE_LETTERS]


def beginnings_of(term: str) -> list[str]:
    """All of a term's beginnings, the term itself the last."""
    return [term[:length] for length in range(1, len(term) + 1)]


def asked_for(query: str) -> Asked | None:
    """What a query asks for; None when it has no word."""
    words = words_of(query)[:WORDS_MOST]
    return Asked(whole_of(query), words) if words else None


def typos_forgiven(word: str) -> int:
    """How many letters of a word may be wrong, missing, too many or swapped with the next."""
    if len(word) < _ONE_TYPO_FROM:
        return 0
    return 1 if len(word) < _TWO_TYPOS_FROM else 2
