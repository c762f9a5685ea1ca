"""What the routes of functions/market give. Prices are text; null when not known."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.domain.breaker import BreakerRules
from functions.shared.domain.calendar import MarketStatus
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.market_halts import HaltSource, MarketHalt, format_utc
from functions.shared.domain.money import divide_half_up, format_decimal, format_price
from functions.shared.domain.orders import OrderType
from functions.shared.domain.pretrade import Band
from functions.shared.domain.sessions import Phase, SecurityClass
from functions.shared.runtime.described import (
    DayText,
    PriceText,
    SymbolText,
    TimeText,
)
from functions.shared.wire.quotes import Quote


class QuoteItem(BaseModel):
    """`timestamp` is the exchange's time in milliseconds since 1970; `seq` grows by symbol. `stale`
    when the price is not known to be that of the market now."""

    symbol: SymbolText
    exchange: Annotated[str, Field(examples=["NSE"])]
    token: Annotated[int, Field(examples=[1001])]
    ltp: PriceText | None = None
    change: PriceText | None = None
    change_percent: Annotated[str | None, Field(examples=["0.88"])] = None
    bid: PriceText | None = None
    ask: PriceText | None = None
    last_quantity: Annotated[int | None, Field(examples=[5])] = None
    volume: Annotated[int | None, Field(examples=[1_234])] = None
    open: PriceText | None = None
    high: PriceText | None = None
    low: PriceText | None = None
    close: PriceText | None = None
    average: PriceText | None = None
    timestamp: Annotated[int | None, Field(examples=[1_790_000_000_123])] = None
    seq: Annotated[int | None, Field(examples=[7])] = None
    stale: Annotated[bool, Field(examples=[False])] = True


class QuoteList(BaseModel):
    items: list[QuoteItem]
    next: None = None


class InstrumentAnswer(BaseModel):
    """`band` is the day's lowest and highest price, as the venue has moved it; `freeze_quantity`
    the most one order may have. A `delivery_only` series takes no intraday orders, and each share
    only orders of its `products`. `isin` is empty for an index."""

    symbol: SymbolText
    exchange: Annotated[str, Field(examples=["NSE"])]
    token: Annotated[int, Field(examples=[1001])]
    name: Annotated[str, Field(examples=["Reliance Industries Limited"])]
    isin: Annotated[str, Field(examples=["INE002A01018"])]
    sector: Annotated[str, Field(examples=["Energy"])]
    kind: Literal["EQUITY", "INDEX", "DELISTED"]
    tick: Annotated[PriceText, Field(examples=["0.10"])]
    lot: Annotated[int, Field(examples=[1])]
    series: Annotated[str, Field(examples=["EQ"])]
    delivery_only: Annotated[bool, Field(examples=[False])]
    products: Annotated[list[str], Field(examples=[["CNC", "MIS"]])]
    freeze_quantity: Annotated[int, Field(examples=[50_000])]
    security_class: SecurityClass
    band_percent: Annotated[int, Field(examples=[10])]
    band_low: PriceText
    band_high: PriceText
    close: PriceText
    phase: Annotated[Phase, Field(examples=["OPEN"])]
    phase_text: Annotated[str, Field(examples=["regular"])]


class SessionPhase(BaseModel):
    """The phase of a class of securities, and the order types that it takes."""

    security_class: SecurityClass
    phase: Annotated[Phase, Field(examples=["OPEN"])]
    takes: Annotated[list[OrderType], Field(examples=[["MARKET", "LIMIT"]])]


class HaltAnswer(BaseModel):
    """A halt of the whole market: at a `level` of the circuit breaker (percent; 0: at none), said
    first by the exchange (VENUE), by our watch of the index or by an operator. HALTED: no orders,
    cancels pass; REOPENING: limit and market orders are collected for a call auction. Null:
    nobody has said when. `seconds_left` of the part that it is in, by the business clock."""

    phase: Annotated[Phase, Field(examples=["HALTED"])]
    level: Annotated[int, Field(examples=[10])]
    source: Annotated[HaltSource, Field(examples=["INDEX"])]
    since: TimeText
    resumes_at: TimeText | None
    opens_at: TimeText | None
    seconds_left: Annotated[int | None, Field(examples=[2_700])]
    text: Annotated[str, Field(examples=["the market is halted since 10:00:00 IST"])]


class BreakerLevel(BaseModel):
    """Where the index passes a level: so many points from its previous close, up or down."""

    percent: Annotated[int, Field(examples=[10])]
    points: PriceText
    below: PriceText
    above: PriceText


class BreakerAnswer(BaseModel):
    """The market-wide circuit breaker; its levels are empty while the index has no previous
    close. `source` names the rule."""

    index: Annotated[str, Field(examples=["NIFTY 50"])]
    source: Annotated[str, Field(examples=["SEBI CIR/MRD/DP/25/2013"])]
    previous_close: PriceText | None
    ltp: PriceText | None
    levels: list[BreakerLevel]


class MarketStatusAnswer(BaseModel):
    """By the calendar and by a halt of the whole market, on the business clock's `time`, with the
    wall clock's, which tokens follow, as `wall_time`; the venue's own word on a security is under
    that instrument. `phase` is that of securities without a closing auction; `rule_set` names the
    dated rows; `provisional` when the year's holidays are not loaded."""

    exchange: Literal["NSE"] = "NSE"
    phase: Annotated[Phase, Field(examples=["OPEN"])]
    sessions: list[SessionPhase]
    rule_set: Annotated[str, Field(examples=["S1"])]
    trade_date: DayText
    time: TimeText
    wall_time: TimeText
    hours: Literal["nse", "always-open"]
    provisional: Annotated[bool, Field(examples=[False])]
    halt: HaltAnswer | None = None
    breaker: BreakerAnswer


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    stream: Annotated[str, Field(examples=["ws://127.0.0.1:7401/v1/stream"])]


def halt_answer(halt: MarketHalt | None, now: datetime) -> HaltAnswer | None:
    """Of a halt that is in force."""
    phase = None if halt is None else halt.phase_at(now)
    if halt is None or phase is None:
        return None
    until = halt.until(now)
    return HaltAnswer(
        phase=phase,
        level=halt.level,
        source=halt.source,
        since=format_utc(halt.since),
        resumes_at=None if halt.resumes_at is None else format_utc(halt.resumes_at),
        opens_at=None if halt.opens_at is None else format_utc(halt.opens_at),
        seconds_left=None if until is None else -((now - until) // timedelta(seconds=1)),
        text=halt.text,
    )


def breaker_answer(rules: BreakerRules, index: Quote | None) -> BreakerAnswer:
    close = index.close if index is not None else 0
    points = [(percent, rules.points(close, percent)) for percent in reversed(rules.levels)]
    return BreakerAnswer(
        index=rules.index,
        source=rules.source,
        previous_close=_price(close),
        ltp=None if index is None else _price(index.ltp),
        levels=[
            BreakerLevel(
                percent=percent, points=format_price(distance),
                below=format_price(close - distance), above=format_price(close + distance),
            )
            for percent, distance in points
            if close
        ],
    )  # fmt: skip


def quote_item(instrument: Instrument, quote: Quote | None, *, stale: bool) -> QuoteItem:
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
            "stale": stale,
        }
    )


def instrument_answer(
    instrument: Instrument, quote: Quote | None, status: MarketStatus, band: Band | None
) -> InstrumentAnswer:
    """Without a band of the venue's the instrument's stands, about the feed's previous close, or
    the master's until there is a feed."""
    close = quote.close if quote and quote.close else instrument.reference_price
    low, high = band or instrument.band(close)
    return InstrumentAnswer(
        symbol=instrument.symbol,
        exchange=instrument.exchange,
        token=instrument.token,
        name=instrument.name,
        isin=instrument.isin,
        sector=instrument.sector,
        kind=instrument.kind,
        products=instrument.products.split(","),
        tick=format_price(instrument.tick),
        lot=instrument.lot,
        series=instrument.series,
        delivery_only=instrument.delivery_only,
        freeze_quantity=instrument.freeze_quantity,
        security_class=instrument.security_class,
        phase=status.phase,
        phase_text=status.text,
        band_percent=instrument.band_percent,
        band_low=format_price(low),
        band_high=format_price(high),
        close=format_price(close),
    )


def _price(value: int) -> str | None:
    return format_price(value) if value else None
