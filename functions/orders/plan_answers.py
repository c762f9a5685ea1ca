"""What the routes of plans answer, for the API's document."""

from typing import Annotated, Literal

from pydantic import Field

from functions.shared.domain.orders import Product, Side, Status
from functions.shared.domain.plans import PlanKind, PlanState, SliceState
from functions.shared.runtime.described import (
    AnswerModel,
    AverageText,
    ClientIdText,
    DayText,
    IdText,
    PriceText,
    Rupees,
    SymbolText,
    TimeText,
)


class PlanReason(AnswerModel):
    """Why a plan ended with something left: its window was over, or a slice was refused."""

    code: Annotated[str, Field(examples=["WINDOW_OVER"])]
    message: Annotated[str, Field(examples=["40 are left as its time is over"])]


class SliceAnswer(AnswerModel):
    """A slice of a plan: what it was to trade, and its order once it has one. `quantity` is what
    the order was placed for, with what others left over; `due_at` is null where the slice before
    decides. `expected_volume`: what the market trades until the next slice, by a VWAP's curve."""

    number: Annotated[int, Field(examples=[1])]
    due_at: TimeText | None
    planned_quantity: Annotated[int, Field(examples=[20])]
    expected_volume: Annotated[int | None, Field(examples=[None])]
    state: SliceState
    quantity: Annotated[int | None, Field(examples=[20])]
    filled_quantity: Annotated[int, Field(examples=[0])]
    order_id: IdText | None
    status: Annotated[Status | None, Field(examples=["PENDING"])]


class PlanAnswer(AnswerModel):
    """An order in slices. It holds nothing itself: each slice is an order of its own, with the
    plan's number as `parent_order_id`, and is judged, reserved and charged as it is placed.
    `volume_curve`: where a VWAP has the day's expected volume from."""

    plan_id: IdText
    client_id: ClientIdText
    kind: PlanKind
    symbol: SymbolText
    exchange: Literal["NSE"]
    side: Side
    product: Product
    quantity: Annotated[int, Field(examples=[100])]
    price: PriceText | None
    participation_percent: Annotated[int | None, Field(examples=[None])]
    volume_curve: Annotated[str | None, Field(examples=[None])]
    trade_date: DayText
    starts_at: TimeText
    ends_at: TimeText
    state: Annotated[PlanState, Field(examples=["ACTIVE"])]
    reason: Annotated[PlanReason | None, Field(examples=[None])]
    created_at: TimeText
    updated_at: TimeText
    version: Annotated[int, Field(examples=[2])]
    filled_quantity: Annotated[int, Field(examples=[0])]
    remaining_quantity: Annotated[int, Field(examples=[100])]
    average_price: Annotated[AverageText | None, Field(examples=[None])]
    traded_value: Annotated[Rupees, Field(examples=["0.00"])]
    slices: list[SliceAnswer]


class PlanList(AnswerModel):
    """Plans, newest first; `next` is the cursor of the following page."""

    items: list[PlanAnswer]
    next: Annotated[IdText | None, Field(examples=[None])]
