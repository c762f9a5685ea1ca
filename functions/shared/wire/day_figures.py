"""A symbol's trade date in five figures, kept for a week: ingest -> Valkey. JSON, version 1.

Invariant: what is kept is what the venue told of that day, whole: a day that had no trade has no
record. Its key lies in the hash slot of the symbol's quote.
"""

from datetime import date
from typing import Final, Literal

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.quotes import partition_of_symbol, partition_tag

LIFE_SECONDS: Final = 7 * 24 * 60 * 60


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in ten-thousandths of a rupee; `close` is the last price so far."""

    v: Literal[1] = 1
    open: int
    high: int
    low: int
    close: int
    volume: int


_decoder = msgspec.json.Decoder(DayFigures)
_encoder = msgspec.json.Encoder()


def day_figures_key(symbol: str, day: date) -> str:
    """`day` is the trade date."""
    return f"ohlc:{partition_tag(partition_of_symbol(symbol))}:{symbol}:{day.isoformat()}"


def encode_day_figures(figures: DayFigures) -> bytes:
    return _encoder.encode(figures)


def decode_day_figures(value: bytes | str) -> DayFigures:
    """Raises PeerProtocolError for anything but a version 1 record."""
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"a day's figures: {error}") from error
