"""What the routes of functions/risk answer."""

from typing import Annotated

from pydantic import BaseModel, Field

from functions.shared.runtime.described import (
    AnswerModel,
    ChargesByHead,
    DayText,
    PriceText,
    RuleAnswer,
    Rupees,
)


class LimitItem(BaseModel):
    """One limit or fee: a dated row. `unit` is shares, INR or orders."""

    code: Annotated[str, Field(examples=["ORDER_QUANTITY_MAX"])]
    value: Annotated[str, Field(examples=["100000"])]
    unit: Annotated[str, Field(examples=["shares"])]
    valid_from: DayText
    valid_to: Annotated[DayText | None, Field(examples=[None])]
    source: Annotated[str, Field(examples=["broker policy"])]


class LimitList(BaseModel):
    items: list[LimitItem]
    next: None = None


class PreviewCharges(ChargesByHead):
    """The charges that the whole order would bear, and their total."""

    total: Annotated[Rupees, Field(examples=["17.82"])]


class PreviewAnswer(AnswerModel):
    """What placing the order would answer. `margin` is what it would hold, `price` what the venue
    would be given; `available_after` is what the funds would show as `available` were all of it
    filled at that price."""

    accepted: Annotated[bool, Field(examples=[True])]
    rules: Annotated[list[RuleAnswer], Field(examples=[[]])]
    price: PriceText
    value: Rupees
    charges: PreviewCharges
    margin: Annotated[Rupees, Field(examples=["15017.82"])]
    available: Annotated[Rupees, Field(examples=["1000000.00"])]
    available_after: Annotated[Rupees, Field(examples=["984982.18"])]
    largest_quantity: Annotated[int, Field(examples=[665])]
