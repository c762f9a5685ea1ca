"""What the routes of functions/market give. Prices are text; null when not known."""

from typing import Literal

from pydantic import BaseModel

from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import divide_half_up, format_decimal, format_price
from functions.shared.wire.quotes import Quote


class QuoteItem(BaseModel):
    """`timestamp` is the exchange's time in milliseconds since 1970; `seq` grows by symbol."""

    symbol: str
    exchange: str
    token: int
    ltp: str | None = None
    change: str | None = None
    change_percent: str | None = None
    bid: str | None = None
    ask: str | None = None
    last_quantity: int | None = None
    volume: int | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    average: str | None = None
    timestamp: int | None = None
    seq: int | None = None


class QuoteList(BaseModel):
    items: list[QuoteItem]
    next: None = None


class InstrumentAnswer(BaseModel):
    """`band` is the day's lowest and highest price."""

    symbol: str
    exchange: str
    token: int
    name: str
    isin: str
    sector: str
    kind: Literal["EQUITY", "INDEX"]
    tick: str
    lot: int
    band_percent: int
    band_low: str
    band_high: str
    close: str


class MarketStatusAnswer(BaseModel):
    """`time` is the business clock's, which phase and trade date follow; `wall_time` the wall
    clock's, which tokens follow. `provisional` when the year's holidays are not loaded."""

    exchange: Literal["NSE"] = "NSE"
    phase: Literal["OPEN", "CLOSED"]
    trade_date: str
    time: str
    wall_time: str
    hours: Literal["nse", "always-open"]
    provisional: bool


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    stream: str


def quote_item(instrument: Instrument, quote: Quote | None) -> QuoteItem:
    """An instrument's last quote; its name alone when none is known."""
    item = QuoteItem(symbol=instrument.symbol, exchange=instrument.exchange, token=instrument.token)
    if quote is None:
        return item
    percent = None
    if quote.close:
        percent = format_decimal(divide_half_up(quote.change * 10_000, quote.close), 2)
    return item.model_copy(
        update={
            "ltp": _price(quote.ltp),
            "change": format_price(quote.change) if quote.close and quote.ltp else None,
            "change_percent": percent if quote.ltp else None,
            "bid": _price(quote.bid),
            "ask": _price(quote.ask),
            "last_quantity": quote.last_quantity,
            "volume": quote.volume,
            "open": _price(quote.open),
            "high": _price(quote.high),
            "low": _price(quote.low),
            "close": _price(quote.close),
            "average": _price(quote.average),
            "timestamp": quote.timestamp_ms,
            "seq": quote.seq,
        }
    )


def instrument_answer(instrument: Instrument, quote: Quote | None) -> InstrumentAnswer:
    """The band stands on the feed's previous close, or on the master's until there is a feed."""
    close = quote.close if quote and quote.close else instrument.previous_close
    low, high = instrument.band(close)
    return InstrumentAnswer(
        symbol=instrument.symbol,
        exchange=instrument.exchange,
        token=instrument.token,
        name=instrument.name,
        isin=instrument.isin,
        sector=instrument.sector,
        kind=instrument.kind,
        tick=format_price(instrument.tick),
        lot=instrument.lot,
        band_percent=instrument.band_percent,
        band_low=format_price(low),
        band_high=format_price(high),
        close=format_price(close),
    )


def _price(value: int) -> str | None:
    return format_price(value) if value else None
