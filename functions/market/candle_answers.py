"""What `GET /v1/candles/{symbol}` and the routes beside it give."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.domain.candle_spans import Interval
from functions.shared.runtime.described import DayText, PriceText, SymbolText, TimeText


class CandleItem(BaseModel):
    """`time` is when it begins: a day's and a week's at midnight in India."""

    time: TimeText
    open: PriceText
    high: PriceText
    low: PriceText
    close: PriceText
    volume: Annotated[int, Field(examples=[1_234])]


class CandleList(BaseModel):
    """Oldest first; what did not trade has none. Prices are as traded, or `adjusted` for the splits
    and bonuses since, volumes too. `from` and `to` are the days in India that it is about; the
    last candle of the running day is not whole."""

    symbol: SymbolText
    exchange: Literal["NSE"] = "NSE"
    interval: Interval
    first: Annotated[DayText, Field(serialization_alias="from")]
    last: Annotated[DayText, Field(serialization_alias="to")]
    adjusted: Annotated[bool, Field(examples=[False])] = False
    items: list[CandleItem]
    next: None = None


class YearRange(BaseModel):
    """A symbol's highest and lowest price of the 52 weeks before the trade date and of that day;
    null for one that has not traded in them. Adjusted for splits and bonuses since."""

    symbol: SymbolText
    exchange: Literal["NSE"] = "NSE"
    high_52_weeks: PriceText | None
    low_52_weeks: PriceText | None


class YearRangeList(BaseModel):
    items: list[YearRange]
    next: None = None
