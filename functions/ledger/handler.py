"""The routes of the ledger: a user's books, and money in and out of a paper account."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import Field

from functions.ledger import read_books, show_statement
from functions.ledger.answers import (
    AccountFundsAnswer,
    AccountStateAnswer,
    HoldingList,
    LedgerEventList,
    PaymentList,
    PaymentMade,
    PortfolioAnswer,
    PositionList,
    StatementAnswer,
)
from functions.ledger.move_money import move_money, show_payments
from functions.shared.bookkeeping.reading import FIRST_POSITION
from functions.shared.domain.errors import Refused
from functions.shared.domain.payments import Direction
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Amount, Day, Instant, Request, amount_to, example
from functions.shared.runtime.http import needs, new_app, principal

app = new_app("ledger")

LIMIT_MAX = 500
#: One payment: 10 crore rupees.
PAYMENT_MAX = 10**10


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
SymbolCursor = Annotated[str | None, Query(max_length=40)]
PositionCursor = Annotated[str | None, Query(pattern=read_books.PLACE)]
SeqCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")]


class PaymentBody(Request):
    """Paper money in or out. `client_id` makes it happen once, however often it is sent."""

    model_config = example({"client_id": "rent", "amount": "2500.00"})

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
    amount: Annotated[Amount, amount_to(PAYMENT_MAX)]


_PAYMENT = described(
    {202: PaymentMade},
    {403: ["FORBIDDEN"], 404: ["NOT_FOUND"], 409: ["ID_REUSED"],
     422: ["PAYMENT_REFUSED", "BANK_REFUSED"]},
)  # fmt: skip
_MONEY_OUT = described(
    {202: PaymentMade},
    {403: ["FORBIDDEN"], 404: ["NOT_FOUND"], 409: ["ID_REUSED", "BANK_CHANGING"],
     422: ["PAYMENT_REFUSED", "BANK_REFUSED"]},
)  # fmt: skip


@app.get(
    "/v1/funds",
    security=needs("read"),
    responses=described({200: AccountFundsAnswer}, {404: ["NOT_FOUND"]}),
)
def funds() -> Response[str]:
    """Cash, what orders hold, what is available."""
    return read_books.show_funds(composition.stores(), principal(app).user_id)


@app.post("/v1/funds/deposits", security=needs("funds"), responses=_PAYMENT)
def make_deposit(body: Annotated[PaymentBody, Body()]) -> Response[str]:
    """Deposit paper money. `BOOKED` once it is yours, `PENDING` while the bank is asked."""
    return _move_money(Direction.IN, body)


@app.post("/v1/funds/withdrawals", security=needs("funds"), responses=_MONEY_OUT)
def make_withdrawal(body: Annotated[PaymentBody, Body()]) -> Response[str]:
    """Withdraw settled, free money. `PAID` once the bank has paid it out, `PENDING` until then."""
    return _move_money(Direction.OUT, body)


@app.get("/v1/funds/payments", security=needs("read"), responses=described({200: PaymentList}))
def payments(limit: Limit = 50, cursor: SeqCursor = None) -> Response[str]:
    """Your deposits and withdrawals, newest first."""
    before = None if cursor is None else int(cursor)
    return show_payments(composition.stores(), principal(app).user_id, before, limit)


@app.get("/v1/holdings", security=needs("read"), responses=described({200: HoldingList}))
def holdings(limit: Limit = 50, cursor: SymbolCursor = None) -> Response[str]:
    """What you hold, with live value."""
    return read_books.show_holdings(
        composition.stores(), principal(app).user_id, cursor or "", limit
    )


@app.get("/v1/positions", security=needs("read"), responses=described({200: PositionList}))
def positions(limit: Limit = 50, cursor: PositionCursor = None) -> Response[str]:
    """What today's trades come to, delivery and intraday apart."""
    after = FIRST_POSITION if cursor is None else read_books.read_place(cursor)
    return read_books.show_positions(composition.stores(), principal(app).user_id, after, limit)


@app.get(
    "/v1/portfolio",
    security=needs("read"),
    responses=described({200: PortfolioAnswer}, {404: ["NOT_FOUND"]}),
)
def portfolio() -> Response[str]:
    """Funds, holdings and positions together."""
    return read_books.show_portfolio(composition.stores(), principal(app).user_id)


@app.get("/v1/ledger", security=needs("read"), responses=described({200: LedgerEventList}))
def ledger(limit: Limit = 50, cursor: SeqCursor = None) -> Response[str]:
    """The hash-chained log of your account."""
    after = 0 if cursor is None else int(cursor)
    return read_books.list_events(composition.stores(), principal(app).user_id, after, limit)


@app.get(
    "/v1/ledger/at",
    security=needs("read"),
    responses=described({200: AccountStateAnswer}, {404: ["NOT_FOUND"]}),
)
def ledger_at(time: Annotated[Instant, Query()]) -> Response[str]:
    """Your account as it was at an instant."""
    return show_statement.show_state_at(composition.stores(), principal(app).user_id, time)


_STATEMENT = described({200: StatementAnswer}, {404: ["NOT_FOUND"]})
_STATEMENT[200]["content"]["text/csv"] = {"schema": {"type": "string"}}


@app.get("/v1/statements", security=needs("read"), responses=_STATEMENT)
def statements(
    start: Annotated[Instant | Day | None, Query(alias="from")] = None,
    until: Annotated[Instant | Day | None, Query(alias="to")] = None,
    form: Annotated[show_statement.Format, Query(alias="format")] = "json",
    limit: Limit = 50,
    cursor: SeqCursor = None,
) -> Response[str]:
    """What moved your cash. A day counts whole, in India; an instant `to` is not part of it."""
    after = 0 if cursor is None else int(cursor)
    return show_statement.show_statement(
        composition.stores(), principal(app).user_id, start, until, after, limit, form
    )


def _move_money(direction: Direction, body: PaymentBody) -> Response[str]:
    caller = principal(app)
    if caller.mode != "PAPER":
        raise Refused(403, "FORBIDDEN", "a live account moves money through its bank")
    return move_money(composition.stores(), caller.user_id, direction, body.client_id, body.amount)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
