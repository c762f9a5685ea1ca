"""What the routes of functions/orders answer, for the API's document."""

from typing import Annotated, Literal

from pydantic import Field

from functions.orders.plan_answers import PlanAnswer
from functions.shared.domain.legs import LegName
from functions.shared.domain.orders import OrderType, Product, Side, Status, Validity, Variety
from functions.shared.runtime.described import (
    AnswerModel,
    AverageText,
    ChargesByHead,
    ClientIdText,
    DayText,
    IdText,
    PriceText,
    ProblemAnswer,
    RuleAnswer,
    Rupees,
    SymbolText,
    TimeText,
)
from functions.shared.wire.order_history import Asker


class Reason(AnswerModel):
    """Why an order was denied, rejected, expired, or cancelled by the broker."""

    code: Annotated[str, Field(examples=["INSUFFICIENT_FUNDS"])]
    message: Annotated[str, Field(examples=["the order needs more than is available"])]


class StopAnswer(AnswerModel):
    """The exit that limits a loss; without a `price` at the market."""

    trigger_price: PriceText
    price: PriceText | None


class TargetAnswer(AnswerModel):
    """The exit that takes a gain."""

    price: PriceText


class ExitsAnswer(AnswerModel):
    """How an order's shares are to be left again."""

    stop: StopAnswer
    target: TargetAnswer


class OrderAnswer(AnswerModel):
    """An order. `price` is the client's limit, null for a market order; `trigger_price` and
    `releases_at` are what it waits for, or waited; while `pending_change` is set the venue has yet
    to answer. `average_price` is null until something is filled. Two exits that wait together have
    one `group_id`: one fills, what it fills is no more for the other, and cancelling one cancels
    both. `exits` come to life with an order's fills, as orders whose `parent_order_id` is its own.
    """

    order_id: IdText
    client_order_id: ClientIdText
    parent_order_id: Annotated[IdText | None, Field(examples=[None])]
    group_id: Annotated[IdText | None, Field(examples=[None])]
    leg: Annotated[LegName | None, Field(examples=[None])]
    exits: Annotated[ExitsAnswer | None, Field(examples=[None])]
    venue_order_id: Annotated[str | None, Field(examples=[None])]
    symbol: SymbolText
    exchange: Literal["NSE"]
    side: Side
    type: Annotated[OrderType, Field(examples=["LIMIT"])]
    quantity: Annotated[int, Field(examples=[10])]
    disclosed_quantity: Annotated[int | None, Field(examples=[None])]
    price: PriceText | None
    variety: Variety
    trigger_price: Annotated[PriceText | None, Field(examples=[None])]
    trail: Annotated[PriceText | None, Field(examples=[None])]
    product: Product
    validity: Validity
    releases_at: Annotated[TimeText | None, Field(examples=[None])]
    expires_at: Annotated[TimeText | None, Field(examples=[None])]
    status: Annotated[Status, Field(examples=["PENDING"])]
    pending_change: Annotated[Literal["MODIFY", "CANCEL"] | None, Field(examples=[None])]
    filled_quantity: Annotated[int, Field(examples=[0])]
    remaining_quantity: Annotated[int, Field(examples=[10])]
    average_price: Annotated[AverageText | None, Field(examples=[None])]
    traded_value: Annotated[Rupees, Field(examples=["0.00"])]
    reason: Annotated[Reason | None, Field(examples=[None])]
    created_at: TimeText
    updated_at: TimeText
    version: Annotated[int, Field(examples=[1])]


class OrderList(AnswerModel):
    """Orders, newest first; `next` is the cursor of the following page."""

    items: list[OrderAnswer]
    next: Annotated[IdText | None, Field(examples=[None])]


class CancelledOrders(AnswerModel):
    """The orders and the plans that are now being cancelled."""

    items: list[OrderAnswer]
    plans: list[PlanAnswer]
    next: None


class PlacedItem(AnswerModel):
    """An order of a basket that was taken: what it would have been answered by itself."""

    client_order_id: ClientIdText
    status: Literal[200, 202]
    order: OrderAnswer


class RefusedItem(AnswerModel):
    """An order of a basket that was not taken, and why."""

    client_order_id: ClientIdText
    status: Annotated[int, Field(examples=[422])]
    problem: ProblemAnswer


class PlacedBasket(AnswerModel):
    """An answer for each order of a basket, in their order."""

    items: list[PlacedItem | RefusedItem]
    next: None


class TriggerAnswer(AnswerModel):
    """Why an order that waited went to the venue when it did: its time had come, or a trade at
    `price`, in the quote of that number. `time` is of the business clock, as every step's is;
    `timestamp` is the exchange's, in milliseconds."""

    why: Literal["PRICE", "TIME"]
    time: TimeText
    price: PriceText | None
    quote_seq: Annotated[int | None, Field(examples=[71])]
    timestamp: Annotated[int | None, Field(examples=[1795433400000])]


class CauseAnswer(AnswerModel):
    """Why a step came to be: the code of a rule or a reason (both are listed at /docs), with its
    words, or one of these. An order that the broker placed: by a plan (`PLAN_SLICE`, whose number
    `order_id` is), in the place of a GTC that its session ended (`GTC_RENEWED`), to square off
    (`SQUARED_OFF`). One that waited: a trade was at its trigger (`PRICE_REACHED`), its time had
    come (`TIME_REACHED`). Its owner cancelled it (`CLIENT_CANCELLED`). What made an exit change,
    and the order it happened to: its pair was placed
    (`EXITS_TOGETHER`), its entry filled (`ENTRY_FILLED`), its sibling went to the venue
    (`SIBLING_FIRED`), filled (`SIBLING_FILLED`), died there and waits again (`SIBLING_WAITS_AGAIN`)
    or ended (`SIBLING_ENDED`); `WAITS_AGAIN`: it takes the place of one that died at the venue;
    a trade of its entry (`ENTRY_BUSTED`) or of an exit (`EXIT_BUSTED`) was taken back or corrected;
    another order closed the position (`POSITION_CLOSED`); `TRAILED`: its trigger followed the
    price."""

    code: Annotated[str, Field(examples=["SIBLING_FILLED"])]
    order_id: IdText | None
    message: Annotated[str | None, Field(examples=[None])]


class ChangeAnswer(AnswerModel):
    """What was asked about an order, and by whom: its client, the end of its life in minutes, its
    plan, the exit that it waited with, the square-off. Of a MODIFY what it gave; null is as it
    was."""

    request_id: Annotated[str, Field(examples=["dearer-1"])]
    action: Literal["MODIFY", "CANCEL"]
    by: Asker
    quantity: Annotated[int | None, Field(examples=[None])]
    price: PriceText | None
    trigger_price: Annotated[PriceText | None, Field(examples=[None])]


class StepFillAnswer(AnswerModel):
    """What traded in this step; `exec_id` is that of one of the order's `fills`."""

    exec_id: Annotated[str, Field(examples=["20261123700051"])]
    quantity: Annotated[int, Field(examples=[10])]
    price: PriceText


class HistoryStep(AnswerModel):
    """One event of an order's life: the ledger's kind of event, and the order after it: its
    status, its terms and what had filled. `request`: of a change that was asked for or refused;
    `rules`: what stood against the order or the change; `busted`: the trade that the exchange took
    back or corrected. A step that its kind explains has no `cause`."""

    seq: Annotated[int, Field(examples=[3])]
    time: TimeText
    kind: Annotated[str, Field(examples=["ORDER_PLACED"])]
    status: Annotated[Status | None, Field(examples=["PENDING"])]
    quantity: Annotated[int | None, Field(examples=[10])]
    filled_quantity: Annotated[int | None, Field(examples=[0])]
    price: PriceText | None
    trigger_price: Annotated[PriceText | None, Field(examples=[None])]
    request: Annotated[ChangeAnswer | None, Field(examples=[None])]
    fill: Annotated[StepFillAnswer | None, Field(examples=[None])]
    rules: Annotated[list[RuleAnswer], Field(examples=[[]])]
    busted: Annotated[StepFillAnswer | None, Field(examples=[None])]
    trigger: Annotated[TriggerAnswer | None, Field(examples=[None])]
    cause: Annotated[CauseAnswer | None, Field(examples=[None])]


class FillAnswer(AnswerModel):
    """One execution: what the venue calls it, and what it cost."""

    order_id: IdText
    exec_id: Annotated[str, Field(examples=["20261123700051"])]
    symbol: SymbolText
    side: Side
    product: Product
    quantity: Annotated[int, Field(examples=[10])]
    price: PriceText
    value: Rupees
    charges: Annotated[Rupees, Field(examples=["17.82"])]
    charges_by_head: ChargesByHead
    trade_date: DayText
    settles_on: Annotated[DayText, Field(examples=["2026-11-25"])]
    time: TimeText


class OrderDetail(OrderAnswer):
    """An order with its whole life. `renewed_as`: the order in which what a session left of a GTC
    goes on. `linked`: that one, the other exits of its group, or those of its fills, oldest
    first."""

    renewed_as: Annotated[IdText | None, Field(examples=[None])]
    history: list[HistoryStep]
    linked: list[OrderAnswer]
    fills: list[FillAnswer]
