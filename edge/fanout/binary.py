"""A quote as a packet of `outcry.v1.binary`, laid out in protocol.md.

Invariant: a packet's length tells its mode, its numbers are those of the quote (big-endian, prices
in ten-thousandths of a rupee, 0 when unknown), and it is the same for every client, so that it is
made once a symbol and mode. A piece is the packet behind its length, ready for `packets_frame`.
"""

import struct
from collections.abc import Mapping

from edge.fanout.actions import Mode
from edge.fanout.rendering import Render
from functions.shared.wire.quotes import LEVELS, Quote

_HEAD = "IQQqq"  # token, seq, timestamp_ms, ltp, close
_DAY = "qqqqqq"  # open, high, low, average, volume, last_quantity
_DEPTH = "qqI" * (2 * LEVELS)  # price, quantity, orders: five bids, five offers, best first
LTP_BYTES = struct.calcsize(f">{_HEAD}")
QUOTE_BYTES = struct.calcsize(f">{_HEAD}{_DAY}")
FULL_BYTES = struct.calcsize(f">{_HEAD}{_DAY}{_DEPTH}")

_ltp = struct.Struct(f">H{_HEAD}").pack
_quote = struct.Struct(f">H{_HEAD}{_DAY}").pack
_full = struct.Struct(f">H{_HEAD}{_DAY}{_DEPTH}").pack


def pack_ltp(_kind: str, quote: Quote) -> bytes:
    """Last price and previous close. A snapshot looks as every other quote does."""
    return _ltp(
        LTP_BYTES, quote.token, quote.seq, quote.timestamp_ms, quote.ltp, quote.close
    )  # fmt: skip


def pack_quote(_kind: str, quote: Quote) -> bytes:
    """Mode ltp, and the day's figures."""
    return _quote(
        QUOTE_BYTES, quote.token, quote.seq, quote.timestamp_ms, quote.ltp, quote.close,
        quote.open, quote.high, quote.low, quote.average, quote.volume, quote.last_quantity,
    )  # fmt: skip


def pack_full(_kind: str, quote: Quote) -> bytes:
    """Mode quote, and five levels a side."""
    return _full(
        FULL_BYTES, quote.token, quote.seq, quote.timestamp_ms, quote.ltp, quote.close,
        quote.open, quote.high, quote.low, quote.average, quote.volume, quote.last_quantity,
        *quote.levels,
    )  # fmt: skip


PACKERS: Mapping[Mode, Render] = {"ltp": pack_ltp, "quote": pack_quote, "full": pack_full}
