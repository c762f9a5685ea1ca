"""What the search index holds of an instrument, and how its answers are ordered, in either engine.

Invariant: two answers are ordered by how they match (Match) and then by `rank`, which no two
instruments share: a page begins behind its Place wherever the index has moved to meanwhile.
"""

from enum import IntEnum
from typing import Final, NamedTuple, Self

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.search_terms import whole_of, words_of

#: rank: market cap, then turnover by its magnitude, then the older token.
_CAP_BITS, _TURNOVER_BITS, _TOKEN_BITS = 22, 10, 31
_MANTISSA_BITS: Final = 5


class Match(IntEnum):
    """How an instrument matches, the best first."""

    EXACT = 0  # its symbol, ISIN or former symbol
    SYMBOL = 1  # its symbol begins so
    NAME = 2  # its name begins so
    WORDS = 3  # every word begins one of its words
    TYPOS = 4  # so it would but for typos


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer tells of an instrument."""

    token: int
    exchange: str
    symbol: str
    name: str
    sector: str
    kind: str


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument as it is indexed. `former`: symbols and names that it had; `market_cap` in
    crore rupees and the day's `turnover` in lakh rupees, 0 where none is known. A higher `version`
    is a later state of the same token."""

    found: Found
    version: int
    isin: str = ""
    former: tuple[str, ...] = ()
    market_cap: int = 0
    turnover: int = 0

    @property
    def token(self) -> int:
        return self.found.token


class Delisted(NamedTuple):
    """An instrument that is no more, as of that version."""

    token: int
    version: int


class Fields(NamedTuple):
    """The terms a listing is found by."""

    exact: tuple[str, ...]
    symbol: str
    name: str
    words: tuple[str, ...]
    rank: int


class Place(NamedTuple):
    """Where a page ends: its last answer's order."""

    match: int
    rank: int

    def cursor(self) -> str:
        return f"{self.match}-{self.rank}"

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """Raises ValueError for anything but a `cursor()`."""
        match, dash, rank = cursor.partition("-")
        if not (dash and match.isdecimal() and rank.isdecimal()):
            raise ValueError("cursor: is none of ours")
        place = cls(int(match), int(rank))
        if place.match > Match.TYPOS or place.rank >= 1 << 63:
            raise ValueError("cursor: is none of ours")
        return place


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Answers, the best first; `after` is None on the last page."""

    hits: tuple[Found, ...]
    after: Place | None = None


_encoder = msgspec.json.Encoder()
_found = msgspec.json.Decoder(Found)


def fields_of(listing: Listing) -> Fields:
    """The terms and the rank of a listing."""
    found = listing.found
    symbol = whole_of(found.symbol)
    own = (found.symbol, found.name, *listing.former)
    words = dict.fromkeys(word for text in own for word in words_of(text))
    exact = {symbol, whole_of(listing.isin), *(whole_of(text) for text in listing.former)} - {""}
    return Fields(
        exact=tuple(sorted(exact)),
        symbol=symbol,
        name=whole_of(found.name),
        words=tuple(words | dict.fromkeys(words_of(symbol))),
        rank=rank_of(listing),
    )


def rank_of(listing: Listing) -> int:
    """Higher stands first. Of 63 bits, which both engines sort by exactly."""
    cap = min(listing.market_cap, (1 << _CAP_BITS) - 1)
    turnover = min(_magnitude(listing.turnover), (1 << _TURNOVER_BITS) - 1)
    older = (1 << _TOKEN_BITS) - 1 - listing.token
    return (cap << _TURNOVER_BITS | turnover) << _TOKEN_BITS | older


def encode_found(found: Found) -> bytes:
    return _encoder.encode(found)


def decode_found(value: bytes) -> Found:
    """Raises PeerProtocolError for anything but what `encode_found` made."""
    try:
        return _found.decode(value)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"an answer of the search: {error}") from error


def _magnitude(amount: int) -> int:
    """The amount to five digits of its binary form: as ordered as the amount, and small."""
    shift = max(0, amount.bit_length() - _MANTISSA_BITS - 1)
    return (shift << _MANTISSA_BITS) + (amount >> shift)
