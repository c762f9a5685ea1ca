"""A quote as clients see it, in each mode, and news of the market, as ready pieces of JSON.

Invariant: prices leave as text with the instrument's decimals, never as a JSON number; the pieces
hold ASCII only, so their length in bytes is their length. A value that is not known is `null`,
except that `ltp` is never null: what has no price has no quote.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache

from edge.fanout.actions import Mode
from edge.fanout.frames import encode_object
from functions.shared.clock import format_time
from functions.shared.domain.money import divide_half_up, format_amount, format_price
from functions.shared.wire.announcements import MarketNews
from functions.shared.wire.quotes import Level, Quote

#: At least as many as a market lists: each of them is quoted many times a second.
_NAMES_KEPT = 65_536

Render = Callable[[str, Quote], bytes]

QUOTE = "quote"
SNAPSHOT = "snapshot"
_QUOTE_HEAD, _SNAPSHOT_HEAD = (b'{"type":"%b"' % kind.encode() for kind in (QUOTE, SNAPSHOT))


def render_ltp(kind: str, quote: Quote) -> bytes:
    """Last price and change. `kind` is QUOTE or SNAPSHOT."""
    return b"{%b}" % _ltp_fields(kind, quote)


def render_quote(kind: str, quote: Quote) -> bytes:
    """Mode ltp, and the day's figures."""
    return b"{%b,%b}" % (_ltp_fields(kind, quote), _day_fields(quote))


def render_full(kind: str, quote: Quote) -> bytes:
    """Mode quote, and five levels a side."""
    depth = f'"depth":{{"bids":[{_side(quote.bids)}],"asks":[{_side(quote.asks)}]}}'
    return b"{%b,%b,%b}" % (_ltp_fields(kind, quote), _day_fields(quote), depth.encode())


def as_snapshot(piece: bytes) -> bytes:
    """The snapshot of what was rendered as a quote."""
    return _SNAPSHOT_HEAD + piece[len(_QUOTE_HEAD) :]


def render_news(news: MarketNews) -> bytes:
    """A change of phase, halt or band: of one symbol, of a class, or of all."""
    band = halt = None
    if (told := news.halt) is not None:
        halt = {
            "level": told.level, "source": told.source, "since": format_time(told.since),
            "resumes_at": None if told.resumes_at is None else format_time(told.resumes_at),
            "opens_at": None if told.opens_at is None else format_time(told.opens_at),
        }  # fmt: skip
    if news.band is not None:
        low, high = news.band
        band = {"low": format_price(low), "high": format_price(high)}
    return encode_object(
        {"type": "market", "phase": news.phase, "security_class": news.security_class,
         "symbol": news.symbol, "band": band, "reason": news.text or None,
         "halt": halt, "timestamp": news.at // 1000}
    )  # fmt: skip


RENDERERS: Mapping[Mode, Render] = {
    "ltp": render_ltp,
    "quote": render_quote,
    "full": render_full,
}


def _ltp_fields(kind: str, quote: Quote) -> bytes:
    close, ltp = quote.close, quote.ltp
    change = percent = "null"
    if close:
        change = f'"{format_price(ltp - close)}"'
        percent = f'"{format_amount(divide_half_up((ltp - close) * 10_000, close))}"'
    return (
        f'"type":"{kind}","symbol":{_name(quote.symbol)},"ltp":"{format_price(ltp)}",'
        f'"change":{change},"change_percent":{percent},'
        f'"seq":{quote.seq},"timestamp":{quote.timestamp_ms}'
    ).encode()


def _day_fields(quote: Quote) -> bytes:
    return (
        f'"volume":{quote.volume},"open":{_price(quote.open)},"high":{_price(quote.high)},'
        f'"low":{_price(quote.low)},"close":{_price(quote.close)},'
        f'"average":{_price(quote.average)},"last_quantity":{quote.last_quantity}'
    ).encode()


@lru_cache(_NAMES_KEPT)
def _name(symbol: str) -> str:
    return json.dumps(symbol)


def _price(value: int) -> str:
    return f'"{format_price(value)}"' if value else "null"


def _side(levels: list[Level]) -> str:
    return ",".join(
        f'{{"price":"{format_price(price)}","quantity":{quantity},"orders":{orders}}}'
        for price, quantity, orders in levels
    )
