"""What the routes of functions/risk answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.runtime.described import (
    AnswerModel,
    ChargesByHead,
    DayText,
    PriceText,
    ProblemAnswer,
    RuleAnswer,
    Rupees,
    SymbolText,
    TimeText,
)


class LimitItem(BaseModel):
    """One limit or fee: a dated row. `unit` is shares, INR, orders, changes or percent. `used`
    and `left` of what is counted for the account as a whole; null of what each order is asked by
    itself."""

    code: Annotated[str, Field(examples=["ORDER_QUANTITY_MAX"])]
    value: Annotated[str, Field(examples=["100000"])]
    unit: Annotated[str, Field(examples=["shares"])]
    valid_from: DayText
    valid_to: Annotated[DayText | None, Field(examples=[None])]
    source: Annotated[str, Field(examples=["broker policy"])]
    used: Annotated[str | None, Field(examples=[None])] = None
    left: Annotated[str | None, Field(examples=[None])] = None


class StockItem(BaseModel):
    """What was paid for what is held in a share, what its intraday position was entered at, and the
    open orders that add to them."""

    symbol: SymbolText
    used: Rupees
    left: Rupees


class KillSwitchItem(BaseModel):
    """The user's own. `may_end_at`: when it may be turned off; null while it is off."""

    on: Annotated[bool, Field(examples=[False])]
    may_end_at: TimeText | None


class LimitList(BaseModel):
    """`stocks`: what the account has put into each share of what STOCK_VALUE_MAX allows, the most
    first."""

    items: list[LimitItem]
    stocks: list[StockItem]
    kill_switch: KillSwitchItem
    next: None = None


class PreviewCharges(ChargesByHead):
    """The charges that the whole order would bear, and their total."""

    total: Annotated[Rupees, Field(examples=["17.82"])]


class PreviewAnswer(AnswerModel):
    """What placing the order would answer. `margin` is what it would keep of the cash: nothing
    where it only closes a position. `price` is what the venue would be given, `nearest_price` the
    nearest valid one; `available_after` is what the funds would show as `available` were all of it
    filled at that price."""

    accepted: Annotated[bool, Field(examples=[True])]
    rules: Annotated[list[RuleAnswer], Field(examples=[[]])]
    price: PriceText
    nearest_price: PriceText
    value: Rupees
    charges: PreviewCharges
    margin: Annotated[Rupees, Field(examples=["15017.82"])]
    available: Annotated[Rupees, Field(examples=["1000000.00"])]
    available_after: Annotated[Rupees, Field(examples=["984982.18"])]
    largest_quantity: Annotated[int, Field(examples=[665])]


class PreviewedItem(PreviewAnswer):
    """What an order of a basket would meet by itself."""

    symbol: SymbolText


class UnjudgedItem(AnswerModel):
    """An order of a basket that can't be judged, and why."""

    symbol: SymbolText
    accepted: Literal[False]
    problem: ProblemAnswer


class BasketPreviewAnswer(AnswerModel):
    """What each order of a basket would meet, and what all of them come to."""

    accepted: Annotated[bool, Field(examples=[True])]
    rules: Annotated[list[RuleAnswer], Field(examples=[[]])]
    items: list[PreviewedItem | UnjudgedItem]
    value: Rupees
    charges: PreviewCharges
    margin: Annotated[Rupees, Field(examples=["15017.82"])]
    available: Annotated[Rupees, Field(examples=["1000000.00"])]
    available_after: Annotated[Rupees, Field(examples=["984982.18"])]
