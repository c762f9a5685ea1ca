"""What the routes of functions/ledger answer, for the API's document; contract notes have their
own file."""

from typing import Annotated, Literal

from pydantic import Field

from functions.shared.domain.orders import Product
from functions.shared.domain.payments import Direction
from functions.shared.runtime.described import (
    AnswerModel,
    AverageText,
    ClientIdText,
    CurrencyText,
    DayText,
    HashText,
    IdText,
    PriceText,
    Rupees,
    SymbolText,
    TimeText,
)

Shares = Annotated[int, Field(examples=[10])]
NoShares = Annotated[int, Field(examples=[0])]
Nothing = Annotated[Rupees, Field(examples=["0.00"])]


class FundsAnswer(AnswerModel):
    """The account. `available` can be spent on orders now, `withdrawable` can leave; `unsettled`
    are sale proceeds that can't leave yet, `blocked` the part that can't be spent either."""

    cash: Rupees
    held: Nothing
    available: Rupees
    borrowed: Nothing
    unsettled: Nothing
    blocked: Nothing
    withdrawable: Rupees
    currency: CurrencyText
    seq: Annotated[int, Field(examples=[2])]


class AccountFundsAnswer(FundsAnswer):
    """The account. `available` can be spent on orders now, `withdrawable` can leave; `unsettled`
    are sale proceeds that can't leave yet, `blocked` the part that can't be spent either.
    `short_delivery` was debited for shares sold and not delivered, as their valuation: it is
    returned when they are closed out, and counts in the portfolio's value."""

    short_delivery: Nothing


class PaymentAnswer(AnswerModel):
    """Money in or out. PENDING while the bank is asked; a deposit ends BOOKED or FAILED, a
    withdrawal PAID or RETURNED; REFUSED reached no bank. `seq`: its latest event."""

    payment_id: IdText
    client_id: Annotated[ClientIdText, Field(examples=["rent"])]
    direction: Direction
    amount: Rupees
    status: Literal["PENDING", "BOOKED", "FAILED", "PAID", "RETURNED", "REFUSED"]
    reason: Annotated[str | None, Field(examples=[None])]
    seq: Annotated[int | None, Field(examples=[None])]
    created_at: TimeText
    updated_at: TimeText


class PaymentMade(PaymentAnswer):
    """The payment, and the account as it is now."""

    funds: FundsAnswer


class PaymentList(AnswerModel):
    """Payments, newest first."""

    items: list[PaymentAnswer]
    next: Annotated[IdText | None, Field(examples=[None])]


class HoldingAnswer(AnswerModel):
    """Delivery shares. `quantity` is `settled`, `t1` and `bought_today` together; `free_quantity`
    can be sold now. What needs a live price is null without one."""

    symbol: SymbolText
    exchange: Literal["NSE"]
    quantity: Shares
    settled: NoShares
    t1: NoShares
    bought_today: Shares
    free_quantity: Shares
    pledged: NoShares
    average_price: AverageText | None
    cost: Rupees
    ltp: PriceText | None
    value: Rupees | None
    day_pnl: Annotated[Rupees | None, Field(examples=["0.00"])]
    unrealised_pnl: Annotated[Rupees | None, Field(examples=["0.00"])]


class HoldingList(AnswerModel):
    """Holdings by symbol; `next` is the symbol to go on after."""

    items: list[HoldingAnswer]
    next: Annotated[SymbolText | None, Field(examples=[None])]


class PositionAnswer(AnswerModel):
    """What a day's trades in a symbol come to; `quantity` is below zero for a short one."""

    symbol: SymbolText
    exchange: Literal["NSE"]
    product: Product
    trade_date: DayText
    quantity: Shares
    settled: NoShares
    t1: NoShares
    bought_today: Shares
    average_price: AverageText | None
    buy_quantity: Shares
    buy_average: AverageText | None
    buy_value: Rupees
    sell_quantity: NoShares
    sell_average: Annotated[AverageText | None, Field(examples=[None])]
    sell_value: Nothing
    realised_pnl: Nothing
    margin: Nothing
    ltp: PriceText | None
    value: Rupees | None
    unrealised_pnl: Annotated[Rupees | None, Field(examples=["0.00"])]
    day_pnl: Annotated[Rupees | None, Field(examples=["0.00"])]


class PositionList(AnswerModel):
    """Positions by product and symbol."""

    items: list[PositionAnswer]
    next: Annotated[str | None, Field(examples=[None])]


class PortfolioAnswer(AnswerModel):
    """Everything together; `value` is null when a price is missing."""

    funds: AccountFundsAnswer
    holdings: list[HoldingAnswer]
    positions: list[PositionAnswer]
    value: Rupees | None


class LedgerEventAnswer(AnswerModel):
    """One event and the account right after it. `ref` is the order or payment it names;
    `payment_id` and `client_id` say of money in and out whose request it was. `hash` covers the
    event and `previous_hash`, which is null for the first."""

    seq: Annotated[int, Field(examples=[2])]
    time: TimeText
    kind: Annotated[str, Field(examples=["DEPOSITED"])]
    ref: IdText | None
    payment_id: IdText | None
    client_id: Annotated[ClientIdText | None, Field(examples=["rent"])]
    cash_change: Rupees
    held_change: Nothing
    cash: Rupees
    held: Nothing
    borrowed: Nothing
    previous_hash: HashText | None
    hash: HashText


class LedgerEventList(AnswerModel):
    """Events, oldest first; `next` is the seq to go on after."""

    items: list[LedgerEventAnswer]
    next: Annotated[str | None, Field(examples=[None])]


class AccountStateAnswer(LedgerEventAnswer):
    """The account as it was at `as_of`, by its last event before."""

    as_of: TimeText
    currency: CurrencyText


class StatementEntry(AnswerModel):
    """One movement of cash: a debit or a credit, and the balance after it. `payment_id` and
    `client_id` say of money in and out whose request it was."""

    time: TimeText
    seq: Annotated[int, Field(examples=[2])]
    kind: Annotated[str, Field(examples=["DEPOSITED"])]
    ref: IdText | None
    description: Annotated[str, Field(examples=["Money added"])]
    debit: Annotated[Rupees | None, Field(examples=[None])]
    credit: Rupees | None
    balance: Rupees
    payment_id: IdText | None
    client_id: Annotated[ClientIdText | None, Field(examples=["rent"])]


class StatementAnswer(AnswerModel):
    """A page of a statement: opening plus its entries is closing. `from` is null for the
    beginning."""

    start: Annotated[TimeText | None, Field(alias="from")]
    to: TimeText
    currency: CurrencyText
    opening: Nothing
    entries: list[StatementEntry]
    closing: Rupees
    next: Annotated[str | None, Field(examples=[None])]
