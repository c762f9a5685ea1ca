"""Candles for charts, out of ClickHouse, cached by whoever stands between.

Invariant: an answer about closed days alone may be kept for an hour by anybody, one with the
running day for five seconds; both carry an ETag of their bytes, so who has them is told 304
(RFC 9110, section 13). Prices are public: a copy that a cache gives away without asking for a
bearer tells nothing of anybody.
"""

import functools
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from aws_lambda_powertools.event_handler import Response

from functions.market.candle_answers import CandleItem, CandleList, YearRange, YearRangeList
from functions.shared.clock import format_time, micros
from functions.shared.domain.calendar import INDIA, market_status
from functions.shared.domain.candle_spans import (
    OPENS_AT_MINUTE,
    SPANS,
    DayBar,
    Interval,
    weeks_of,
)
from functions.shared.domain.corporate_actions import (
    CorporateAction,
    adjusted_bar,
    factor_since,
)
from functions.shared.domain.errors import Refused
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_price
from functions.shared.runtime.composition import Stores
from functions.shared.settings import Settings
from functions.shared.stores.candles import CandleStore
from functions.shared.stores.corporate_actions import splits_and_bonuses

#: Nobody's day has more minutes.
_MINUTES_OF_A_DAY: Final = 1_440
#: Days whose candle may not have been kept yet, or not whole (orders.draw_volume_curves).
_DAYS_ANEW: Final = timedelta(days=10)
#: Nobody asks for what was before NSE, and day numbers end some day.
_FIRST_DAY: Final = date(1990, 1, 1)
_LAST_DAY: Final = date(2100, 1, 1)
#: A day's last minutes are on their way for so long.
_ARRIVES: Final = timedelta(minutes=10)
_YEAR: Final = timedelta(weeks=52)
_CLOSED: Final = "public, max-age=3600"
_RUNNING: Final = "public, max-age=5"


class CandleSettings(Settings, frozen=True, kw_only=True):
    """Without a `clickhouse_url` there are no candles."""

    clickhouse_url: str | None = None


@functools.lru_cache(maxsize=1)
def candle_store() -> CandleStore:
    """This process's. Raises Refused 404 NO_CANDLES where none are kept, SettingsError."""
    url = CandleSettings.from_environment().clickhouse_url
    if url is None:
        raise Refused(404, "NO_CANDLES", "no candles are kept here")
    return CandleStore.open(url)


def show_candles(
    stores: Stores,
    instrument: Instrument,
    interval: Interval,
    first: date | None,
    last: date | None,
    known: str | None,
    *,
    adjusted: bool = False,
) -> Response[str]:
    """`known`: the If-None-Match of the request. Raises Refused 400 for a span that is too long or
    ends before it begins, 404 NO_CANDLES; Retryable."""
    span, today = SPANS[interval], _today(stores)
    until = last or today
    if not _FIRST_DAY <= until <= _LAST_DAY:
        raise _invalid("to", f"must be from {_FIRST_DAY} to {_LAST_DAY}")
    since = first or max(_FIRST_DAY, until - timedelta(days=span.days_back))
    if since < _FIRST_DAY:
        raise _invalid("from", f"must not be before {_FIRST_DAY}")
    if since > until:
        raise _invalid("from", "is after the last day")
    if (until - since).days >= span.days_most:
        raise _invalid("from", f"candles of {interval} are given for {span.days_most} days at most")
    actions = _actions(stores, [instrument], today)[instrument.token] if adjusted else []
    if span.minutes:
        items = _of_minutes(instrument.symbol, span.minutes, since, until, actions)
    else:
        days = _of_days(instrument.symbol, since, until, today, actions)
        items = map(_item_of_days, weeks_of(days) if interval is Interval.WEEK else days)
    answer = CandleList(
        symbol=instrument.symbol, interval=interval, first=since.isoformat(),
        last=until.isoformat(), adjusted=adjusted, items=list(items),
    )  # fmt: skip
    closed = _midnight(until + timedelta(days=1)) + _ARRIVES <= stores.clock.now()
    return cached(answer.model_dump(mode="json", by_alias=True), known, closed=closed)


def year_ranges(stores: Stores, asked: list[Instrument]) -> YearRangeList:
    """In the order asked for, the running day with them. Raises as `show_candles`."""
    today = _today(stores)
    kept = candle_store().ranges([each.symbol for each in asked], today - _YEAR, today)
    quotes = stores.quotes.get(each.symbol for each in asked)
    actions = _actions(stores, asked, today)
    items = []
    for each in asked:
        highs, lows = ([kept[each.symbol][n]] if each.symbol in kept else [] for n in (0, 1))
        if any(action.ex_date > today - _YEAR for action in actions[each.token]):
            days = _of_days(each.symbol, today - _YEAR, today, today, actions[each.token])
            highs, lows = [day.high for day in days], [day.low for day in days]
        quote = quotes.get(each.symbol)
        if quote is not None and quote.high and quote.low:
            highs, lows = [*highs, quote.high], [*lows, quote.low]
        items.append(
            YearRange(
                symbol=each.symbol,
                high_52_weeks=format_price(max(highs)) if highs else None,
                low_52_weeks=format_price(min(lows)) if lows else None,
            )
        )
    return YearRangeList(items=items)


def cached(body: object, known: str | None, *, closed: bool) -> Response[str]:
    """A JSON answer that may be kept, or 304 to who has it."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers: dict[str, str | list[str]] = {
        "ETag": tag,
        "Cache-Control": _CLOSED if closed else _RUNNING,
    }
    if known is not None and _matches(known, tag):
        return Response(status_code=304, body="", headers=headers)
    return Response(status_code=200, content_type="application/json", body=text, headers=headers)


def _matches(known: str, tag: str) -> bool:
    """Weak comparison (RFC 9110, section 8.8.3.2): a cache that compresses makes our tag weak."""
    listed = [each.strip().removeprefix("W/") for each in known.split(",")]
    return "*" in listed or tag in listed


def _actions(
    stores: Stores, instruments: list[Instrument], today: date
) -> defaultdict[int, list[CorporateAction]]:
    """The splits and bonuses of each until today, by token."""
    tokens = [each.token for each in instruments]
    return defaultdict(list, splits_and_bonuses(stores.shards.control, tokens, today))


def _of_minutes(
    symbol: str, minutes: int, since: date, until: date, actions: Sequence[CorporateAction]
) -> Iterator[CandleItem]:
    most = ((until - since).days + 1) * _MINUTES_OF_A_DAY
    bars = candle_store().together(
        symbol,
        minutes,
        OPENS_AT_MINUTE,
        _midnight(since),
        _midnight(until + timedelta(days=1)),
        most,
    )
    for bar in bars:
        day = datetime.fromtimestamp(bar.begins, INDIA).date()
        whole = DayBar(day, bar.open, bar.high, bar.low, bar.close, bar.volume)
        yield _item(bar.begins * 1_000_000, *adjusted_bar(whole, factor_since(actions, day))[1:])


def _of_days(
    symbol: str, since: date, until: date, today: date, actions: Sequence[CorporateAction]
) -> list[DayBar]:
    """The days that were kept; of the last ones what their minutes come to by now."""
    store = candle_store()
    days = {each.day: each for each in store.days(symbol, since, until)}
    anew = max(since, today - _DAYS_ANEW)
    if anew <= until:
        made = store.days_of_minutes(symbol, _midnight(anew), _midnight(until + timedelta(days=1)))
        days |= {each.day: each for each in made}
    bars = (DayBar(*days[day][:6]) for day in sorted(days))
    return [adjusted_bar(bar, factor_since(actions, bar.day)) for bar in bars]


def _item_of_days(bar: DayBar) -> CandleItem:
    return _item(micros(_midnight(bar.day)), *bar[1:])


def _item(at: int, opened: int, high: int, low: int, close: int, volume: int) -> CandleItem:
    return CandleItem(
        time=format_time(at),
        open=format_price(opened),
        high=format_price(high),
        low=format_price(low),
        close=format_price(close),
        volume=volume,
    )


def _midnight(day: date) -> datetime:
    """At which the day begins in India."""
    return datetime.combine(day, time(), INDIA)


def _today(stores: Stores) -> date:
    """The trade date: before it, days are closed."""
    return market_status(stores.clock.now(), stores.clock.hours).trade_date


def _invalid(field: str, message: str) -> Refused:
    errors = [{"field": field, "message": message}]
    return Refused(400, "INVALID_REQUEST", f"{field}: {message}", errors=errors)
