"""How far the triggers' watcher has seen prices, kept in the quote cache for the one after it.

Invariant: what is kept was acted on, or was nothing to act on. Losing it loses only the knowledge
of prices that came and went while no watcher ran.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from functions.shared.stores.valkey import Valkey, answering
from functions.shared.wire.executions import Micros

_KEY: Final = "triggers:seen"


class DayRange(NamedTuple):
    """A symbol's highest and lowest price of the day so far, in ten-thousandths of a rupee, as of
    the business time `at`, in microseconds since 1970."""

    high: int
    low: int
    at: Micros


class SeenPrices(msgspec.Struct, frozen=True, kw_only=True):
    """By symbol."""

    v: Literal[1] = 1
    ranges: Mapping[str, DayRange]


_decoder = msgspec.msgpack.Decoder(SeenPrices)
_encoder = msgspec.msgpack.Encoder()


def keep_seen(valkey: Valkey, seen: SeenPrices) -> None:
    """Raises Retryable when the cache is away."""
    with answering():
        valkey.set(_KEY, _encoder.encode(seen))


def read_seen(valkey: Valkey) -> SeenPrices | None:
    """What was kept last; None when nothing was, or nothing that can be read. Raises Retryable."""
    with answering():
        value = valkey.get(_KEY)
    if not isinstance(value, bytes):
        return None
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError:
        return None
