"""What the routes of contract notes answer, for the API's document."""

from typing import Annotated

from pydantic import Field

from functions.ledger.answers import NoShares, Nothing, Shares
from functions.shared.domain.orders import Product, Side
from functions.shared.runtime.described import (
    AnswerModel,
    AverageText,
    CurrencyText,
    DayText,
    IdText,
    PriceText,
    Rupees,
    SymbolText,
    TimeText,
)

Isin = Annotated[str | None, Field(examples=["INE002A01018"])]
VenueOrderId = Annotated[str | None, Field(examples=["1300000010457"])]


class NoteSummary(AnswerModel):
    """A trade date's note. `net_amount` is what you receive, below zero what you pay; `seq` is the
    event that booked it."""

    trade_date: DayText
    settles_on: Annotated[DayText, Field(examples=["2026-11-25"])]
    settlement_number: Annotated[str | None, Field(examples=["2026217"])]
    version: Annotated[int, Field(examples=[1])]
    number: Annotated[str, Field(examples=["20261123-1000042-1"])]
    charges_total: Annotated[Rupees, Field(examples=["17.57"])]
    net_amount: Annotated[Rupees, Field(examples=["-15017.57"])]
    currency: CurrencyText
    seq: Annotated[int, Field(examples=[9])]
    written_at: TimeText


class NoteList(AnswerModel):
    """Notes, newest first; `next` is the trade date to go on before."""

    items: list[NoteSummary]
    next: Annotated[DayText | None, Field(examples=[None])]


class NoteCharges(AnswerModel):
    """Every charge of the day, and their total."""

    brokerage: Nothing
    stt: Annotated[Rupees, Field(examples=["15.00"])]
    exchange: Annotated[Rupees, Field(examples=["0.46"])]
    ipft: Nothing
    sebi: Annotated[Rupees, Field(examples=["0.02"])]
    stamp: Annotated[Rupees, Field(examples=["2.00"])]
    gst: Annotated[Rupees, Field(examples=["0.09"])]
    total: Annotated[Rupees, Field(examples=["17.57"])]


class NoteSecurity(AnswerModel):
    """One security's day; `delivered` is below zero for shares that leave the account."""

    symbol: SymbolText
    isin: Isin
    bought: Shares
    buy_value: Rupees
    buy_average: AverageText | None
    sold: NoShares
    sell_value: Nothing
    sell_average: Annotated[AverageText | None, Field(examples=[None])]
    squared_off: NoShares
    delivered: Shares
    stt: Annotated[Rupees, Field(examples=["15.00"])]


class NoteOrder(AnswerModel):
    """What an order traded that day."""

    order_id: IdText
    venue_order_id: VenueOrderId
    ordered_at: TimeText
    symbol: SymbolText
    product: Product
    side: Side
    quantity: Shares
    average_price: AverageText
    value: Rupees
    brokerage: Nothing


class NoteTrade(AnswerModel):
    """One trade. `net_price` has the brokerage in it; `net_total` is what the trade moved before
    all other charges, below zero what you pay."""

    order_id: IdText
    venue_order_id: VenueOrderId
    ordered_at: TimeText
    exec_id: Annotated[str, Field(examples=["20261123700051"])]
    time: TimeText
    symbol: SymbolText
    isin: Isin
    side: Side
    quantity: Shares
    price: PriceText
    brokerage_per_unit: Annotated[AverageText, Field(examples=["0.0000"])]
    net_price: AverageText
    net_total: Annotated[Rupees, Field(examples=["-15000.00"])]


class NoteAnswer(NoteSummary):
    """The whole note. It lists the first thousand orders and trades; its sums are of all."""

    account: Annotated[str, Field(examples=["1000042"])]
    buy_value: Rupees
    sell_value: Nothing
    obligation: Annotated[Rupees, Field(examples=["-15000.00"])]
    charges: NoteCharges
    securities: list[NoteSecurity]
    orders: list[NoteOrder]
    orders_total: Annotated[int, Field(examples=[1])]
    trades: list[NoteTrade]
    trades_total: Annotated[int, Field(examples=[1])]
