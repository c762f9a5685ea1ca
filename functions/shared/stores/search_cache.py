"""What Valkey keeps for the search: answers of the last minute, and the list of symbols that is
searched while the engine is away.

Invariant: an answer is of the generation it is kept under, and each change of the index begins
another one, so that no answer outlives the index it came from. All may be lost at any time: answers
are looked up anew, and the function that keeps the index writes the list again.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, cast

import msgspec

from functions.shared.domain.search_terms import Asked, whole_of
from functions.shared.stores.search_documents import (
    Delisted,
    Found,
    Listing,
    Page,
    decode_found,
    encode_found,
)
from functions.shared.stores.valkey import Valkey, answering

KEPT_MS: Final = 60_000
# One hash tag: each command below is of one slot of a cluster.
_GENERATION: Final = "{search}:generation"
_ANSWER: Final = "{search}:answer:"
#: Members `SYMBOL<gap>FOUND`, all of score 0, so that they are in the order of their symbols.
_SYMBOLS: Final = "{search}:symbols"
#: The member of each token, by which a change finds what it replaces.
_MEMBERS: Final = "{search}:members"
#: The trade date that the index was last built on.
_BUILT: Final = "{search}:built"
_GAP: Final = b"\x00"
_BATCH: Final = 1_000

_page = msgspec.json.Decoder(Page)
_encoder = msgspec.json.Encoder()


class Kept(NamedTuple):
    """The generation of the index, None before the first, and the answer kept for it, if any."""

    generation: bytes | None
    page: Page | None


class SearchCache:
    """One region's; every method raises Retryable when Valkey is away."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def look_up(self, asked: Asked, limit: int) -> Kept:
        """What is known of a query's first page, in one round trip."""
        with answering():
            keys = [_GENERATION, _answer_key(asked, limit)]
            generation, kept = cast(list[bytes | None], self._valkey.mget(keys))
        if generation is None or kept is None or not kept.startswith(generation + _GAP):
            return Kept(generation, None)
        try:
            return Kept(generation, _page.decode(kept[len(generation) + 1 :]))
        except msgspec.MsgspecError:  # another version's; it ends within the minute
            return Kept(generation, None)

    def keep(self, asked: Asked, limit: int, generation: bytes, page: Page) -> None:
        """Keeps a first page for a minute: the generation is of before the index was asked."""
        value = generation + _GAP + _encoder.encode(page)
        with answering():
            self._valkey.set(_answer_key(asked, limit), value, px=KEPT_MS)

    def begin_with(self, asked: Asked, limit: int) -> list[Found]:
        """The first symbols that begin with what is asked for, by their letters. Empty also when
        the list was lost."""
        start = asked.whole.encode()
        with answering():
            members = cast(
                list[bytes],
                self._valkey.zrangebylex(
                    _SYMBOLS, b"[" + start, b"(" + start + b"\xff", start=0, num=limit
                ),
            )
        return [decode_found(member.partition(_GAP)[2]) for member in members]

    def state(self) -> tuple[bool, str | None]:
        """Whether there is a list, and the trade date that the index was last built on."""
        with answering():
            listed = self._valkey.exists(_SYMBOLS, _GENERATION) == 2
            built = cast(bytes | None, self._valkey.get(_BUILT))
        return listed, None if built is None else built.decode()

    def forget(self) -> None:
        """The next run makes the index and the list anew."""
        with answering():
            self._valkey.delete(_BUILT, _SYMBOLS)

    def note_built(self, day: str) -> None:
        with answering():
            self._valkey.set(_BUILT, day)

    def rewrite(self, listings: Iterable[Listing]) -> int:
        """Puts the list of exactly these in the place of the one there was, and begins a
        generation. How many they are."""
        new = uuid.uuid4().hex
        symbols, members = f"{_SYMBOLS}:{new}", f"{_MEMBERS}:{new}"
        with answering():
            count = 0
            for batch in _batches((listing.token, _member(listing)) for listing in listings):
                count += len(batch)
                with self._valkey.pipeline(transaction=False) as pipeline:
                    pipeline.hset(members, mapping={str(token): text for token, text in batch})
                    pipeline.zadd(symbols, {text: 0 for _, text in batch})
                    for key in (members, symbols):  # what a killed writer leaves
                        pipeline.expire(key, 600)
                    pipeline.execute()
            with self._valkey.pipeline(transaction=False) as pipeline:
                for made, name in ((members, _MEMBERS), (symbols, _SYMBOLS)):
                    if count:
                        pipeline.persist(made)
                        pipeline.rename(made, name)
                    else:
                        pipeline.delete(name)
                pipeline.set(_GENERATION, new)
                pipeline.execute()
        return count

    def change(self, changes: Sequence[Listing | Delisted]) -> None:
        """Takes these into the list and begins a generation. One process does so at a time."""
        states: Mapping[str, Listing | Delisted] = {
            str(change.token): change for change in sorted(changes, key=lambda c: c.version)
        }
        tokens = list(states)
        with answering():
            known = cast(list[bytes | None], self._valkey.hmget(_MEMBERS, tokens))
            with self._valkey.pipeline(transaction=False) as pipeline:
                for token, old in zip(tokens, known, strict=True):
                    state = states[token]
                    if old is not None:
                        pipeline.zrem(_SYMBOLS, old)
                    if isinstance(state, Delisted):
                        pipeline.hdel(_MEMBERS, token)
                    else:
                        pipeline.hset(_MEMBERS, token, _member(state))
                        pipeline.zadd(_SYMBOLS, {_member(state): 0})
                pipeline.set(_GENERATION, uuid.uuid4().hex)
                pipeline.execute()


def _answer_key(asked: Asked, limit: int) -> str:
    words = " ".join((asked.whole, *asked.words, str(limit)))
    return _ANSWER + hashlib.sha256(words.encode()).hexdigest()[:32]


def _member(listing: Listing) -> bytes:
    return whole_of(listing.found.symbol).encode() + _GAP + encode_found(listing.found)


def _batches(pairs: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(pairs, _BATCH)):
        yield batch
