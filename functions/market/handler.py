"""The routes of the market: quotes, candles, instruments, phases; and the API's description."""

import functools
import json
from pathlib import Path
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from functions.market import movers, show_candles
from functions.market.answers import (
    Health,
    InstrumentAnswer,
    MarketStatusAnswer,
    QuoteList,
    SessionPhase,
    breaker_answer,
    halt_answer,
    instrument_answer,
    quote_item,
)
from functions.market.candle_answers import CandleList, YearRangeList
from functions.market.docs_page import POLICY, render_page
from functions.shared.clock import micros, trade_date, wall_now
from functions.shared.domain.breaker import breaker_rules
from functions.shared.domain.calendar import in_force, market_status, standing_band
from functions.shared.domain.candle_spans import Interval
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.domain.instruments import Instrument, listed_name
from functions.shared.domain.market_halts import MarketHalt
from functions.shared.domain.sessions import ALL_DAY, TAKES, SecurityClass, rule_set
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Day
from functions.shared.runtime.http import PUBLIC, needs, new_app
from functions.shared.settings import Settings
from functions.shared.stores.market_halts import last_halt
from functions.shared.wire.events import format_time
from functions.shared.wire.quotes import Quote

app = new_app("market")

SYMBOLS_MAX: Final = 500
#: All of them in a query, which API Gateway takes up to 10,240 bytes of, with every header.
SYMBOLS_CHARACTERS_MAX: Final = 5000
_DOCUMENT: Final = Path(__file__).with_name("openapi.json")


class MarketSettings(Settings, frozen=True, kw_only=True):
    """`stream_url`: where clients open the stream of quotes and events."""

    stream_url: str


@functools.lru_cache(maxsize=1)
def _settings() -> MarketSettings:
    return MarketSettings.from_environment()


_movers = movers.Movers()
_NO_CANDLES = {404: ["UNKNOWN_SYMBOL", "NO_CANDLES"]}
_UNKNOWN = {404: ["UNKNOWN_SYMBOL"]}


@app.get(
    "/v1/quotes",
    security=needs("read"),
    summary="Last quotes",
    tags=["Market"],
    responses=described({200: QuoteList}, _UNKNOWN),
)
def get_quotes(
    symbols: Annotated[
        str,
        Query(min_length=1, max_length=SYMBOLS_CHARACTERS_MAX, description="Separated by commas"),
    ],
) -> QuoteList:
    """In the order asked for; null for what is not known yet."""
    stores, asked = composition.stores(), _asked(symbols)
    quotes = stores.quotes.get(instrument.symbol for instrument in asked)
    feed = stores.quotes.feed()
    return QuoteList(
        items=[
            quote_item(
                each, quotes.get(each.symbol), stale=feed is None or feed.is_stale(each.symbol)
            )
            for each in asked
        ]
    )


@app.get(
    "/v1/market/movers",
    security=needs("read"),
    summary="The day's movers",
    tags=["Market"],
)
def get_movers(
    by: Annotated[movers.By, Query(description="What shares are ranked by")] = movers.By.GAINERS,
    limit: Annotated[int, Query(ge=1, le=movers.MOVERS_MAX)] = 10,
) -> QuoteList:
    """Shares that traded today: those that rose or fell most by percent, or traded most."""
    stores = composition.stores()
    feed = stores.quotes.feed()
    return QuoteList(
        items=[
            quote_item(each, quote, stale=feed is None or feed.is_stale(each.symbol))
            for each, quote in _movers.first(stores, by, limit)
        ]
    )


@app.get(
    "/v1/market/year-ranges",
    security=needs("read"),
    summary="52-week ranges",
    tags=["Market"],
    responses=described({200: YearRangeList}, _NO_CANDLES),
)
def get_year_ranges(
    symbols: Annotated[
        str,
        Query(min_length=1, max_length=SYMBOLS_CHARACTERS_MAX, description="Separated by commas"),
    ],
) -> YearRangeList:
    """Each symbol's highest and lowest price of 52 weeks, today's included."""
    return show_candles.year_ranges(composition.stores(), _asked(symbols))


@app.get(
    "/v1/candles/<symbol>",
    security=needs("read"),
    summary="Candles of a symbol",
    tags=["Market"],
    responses=described({200: CandleList, 304: None}, _NO_CANDLES),
)
def get_candles(
    symbol: str,
    interval: Annotated[Interval, Query()] = Interval.DAY,
    first: Annotated[Day | None, Query(alias="from", description="First day in India")] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Last day, today if left out")
    ] = None,
    adjusted: Annotated[bool, Query(description="For splits and bonuses since")] = False,
) -> Response[str]:
    """Minutes for 7 days at once, 5 for 30, 15 for 60, 30 for 90, 60 for 180; days for 10 years,
    weeks for 20. The minute that runs is not there yet. Closed days may be kept for an hour, the
    running day for 5 seconds; `If-None-Match` with the ETag is answered 304."""
    known = app.current_event.headers.get("if-none-match")
    return show_candles.show_candles(
        composition.stores(), _listed(symbol), interval, first, last, known, adjusted=adjusted
    )


@app.get(
    "/v1/instruments/<symbol>",
    security=needs("read"),
    summary="One instrument",
    tags=["Market"],
    responses=described({200: InstrumentAnswer}, _UNKNOWN),
)
def get_instrument(symbol: str) -> InstrumentAnswer:
    """With the phase it is in and its price band, by the venue's own word where there is one."""
    stores, instrument = composition.stores(), _listed(symbol)
    quote, told, _, halt, _ = stores.quotes.order_facts(instrument.symbol)
    now = stores.clock.now()
    calendar = market_status(now, stores.clock.hours, instrument.security_class)
    status = in_force(calendar, told, halt, now)
    return instrument_answer(instrument, quote, status, standing_band(told, status.trade_date))


@app.get("/v1/market/status", security=needs("read"), summary="The market's phase", tags=["Market"])
def get_market_status() -> MarketStatusAnswer:
    """The phase of each class of securities by the calendar, or of a halt of the whole market, on
    the business clock, with the wall clock's time beside it; and the circuit breaker's levels."""
    stores = composition.stores()
    clock, now = stores.clock, stores.clock.now()
    breaker = breaker_rules(trade_date(now))
    halt, index = _market_wide(stores, breaker.index)
    status = in_force(market_status(now, clock.hours), None, halt, now)
    sessions = [
        (kind, in_force(market_status(now, clock.hours, kind), None, halt, now).phase)
        for kind in SecurityClass
    ]
    rules = ALL_DAY if clock.hours == "always-open" else rule_set(status.trade_date)
    return MarketStatusAnswer(
        phase=status.phase,
        sessions=[
            SessionPhase(security_class=kind, phase=phase, takes=list(TAKES[phase].types))
            for kind, phase in sessions
        ],
        rule_set=rules.name,
        trade_date=status.trade_date.isoformat(),
        time=format_time(micros(now)),
        wall_time=format_time(micros(wall_now())),
        hours=clock.hours,
        provisional=status.provisional,
        halt=halt_answer(status.halt, now),
        breaker=breaker_answer(breaker, index),
    )


@app.get("/health", summary="Is the API there", tags=["About"], security=PUBLIC)
def get_health() -> Health:
    """Answers without asking any store; `stream` is where quotes and events come from."""
    return Health(stream=_settings().stream_url)


@app.get("/v1/openapi.json", summary="This document", tags=["About"], security=PUBLIC)
def get_openapi() -> Response[str]:
    return Response(status_code=200, content_type="application/json", body=_document())


@app.get(
    "/docs",
    summary="This document as a page",
    tags=["About"],
    security=PUBLIC,
    responses={200: {"description": "A page", "content": {"text/html": {}}}},
)
def get_docs() -> Response[str]:
    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=render_page(json.loads(_document())),
        headers={"Content-Security-Policy": POLICY},
    )


def _market_wide(stores: Stores, index: str) -> tuple[MarketHalt | None, Quote | None]:
    """What was last said of a halt, and the index's quote. While the cache is away there is no
    price, and the halt is PostgreSQL's own. Raises Retryable."""
    try:
        return stores.quotes.halt(), stores.quotes.get([index]).get(index)
    except Retryable:
        return last_halt(stores.shards.control), None


def _asked(symbols: str) -> list[Instrument]:
    """Raises Refused for one that is not listed, or too many."""
    asked = [_listed(symbol) for symbol in dict.fromkeys(map(listed_name, symbols.split(",")))]
    if len(asked) > SYMBOLS_MAX:
        raise Refused(400, "INVALID_REQUEST", f"symbols: at most {SYMBOLS_MAX}")
    return asked


@functools.lru_cache(maxsize=1)
def _document() -> str:
    return _DOCUMENT.read_text("utf-8")


def _listed(symbol: str) -> Instrument:
    instrument = composition.stores().instruments.get(symbol)
    if instrument is None:
        raise Refused(404, "UNKNOWN_SYMBOL", f"{symbol[:40]!r} is not listed here", symbol=symbol)
    return instrument


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
