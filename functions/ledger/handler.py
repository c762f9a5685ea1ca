"""The routes of the ledger: a user's books, and deposits on a paper account."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import AwareDatetime, Field

from functions.ledger import read_books, show_statement
from functions.shared.bookkeeping.accounts import deposit
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Refused
from functions.shared.domain.ids import shard_of_slot, slot_of_user
from functions.shared.domain.money import format_amount
from functions.shared.runtime import composition
from functions.shared.runtime.fields import Amount, Request
from functions.shared.runtime.http import new_app, principal, respond
from functions.shared.stores.wake import wake_relay
from functions.shared.wire.events import render_funds

app = new_app("ledger")

LIMIT_MAX = 500
#: One deposit: 10 crore rupees.
DEPOSIT_MAX = 10**10


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
SymbolCursor = Annotated[str | None, Query(max_length=40)]
SeqCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")]


class DepositBody(Request):
    """Paper money in. `client_id` makes it happen once, however often it is sent."""

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
    amount: Annotated[Amount, Field(gt=0, le=DEPOSIT_MAX)]


@app.get("/v1/funds")
def funds() -> Response[str]:
    """Cash, what orders hold, what is available."""
    return read_books.show_funds(composition.stores(), principal(app).user_id)


@app.post("/v1/funds/deposits")
def make_deposit(body: Annotated[DepositBody, Body()]) -> Response[str]:
    """Deposit paper money."""
    stores, caller = composition.stores(), principal(app)
    if caller.mode != "PAPER":
        raise Refused(403, "FORBIDDEN", "a live account is funded through its bank")
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    booked = deposit(stores.shards, caller.user_id, body.client_id, body.amount, today, now)
    wake_relay(stores.valkey, shard_of_slot(slot_of_user(caller.user_id), len(stores.shards)))
    return respond(
        {
            "client_id": body.client_id,
            "amount": format_amount(body.amount),
            "status": "BOOKED",
            "seq": booked.seq,
            "funds": render_funds(booked.funds),
        },
        HTTPStatus.OK if booked.replayed else HTTPStatus.ACCEPTED,
    )


@app.get("/v1/holdings")
def holdings(limit: Limit = 50, cursor: SymbolCursor = None) -> Response[str]:
    """What you hold, with live value."""
    return read_books.show_holdings(
        composition.stores(), principal(app).user_id, cursor or "", limit
    )


@app.get("/v1/positions")
def positions(limit: Limit = 50, cursor: SymbolCursor = None) -> Response[str]:
    """What you bought today."""
    return read_books.show_positions(
        composition.stores(), principal(app).user_id, cursor or "", limit
    )


@app.get("/v1/portfolio")
def portfolio() -> Response[str]:
    """Funds and holdings together."""
    return read_books.show_portfolio(composition.stores(), principal(app).user_id)


@app.get("/v1/ledger")
def ledger(limit: Limit = 50, cursor: SeqCursor = None) -> Response[str]:
    """The hash-chained log of your account."""
    after = 0 if cursor is None else int(cursor)
    return read_books.list_events(composition.stores(), principal(app).user_id, after, limit)


@app.get("/v1/ledger/at")
def ledger_at(time: Annotated[AwareDatetime, Query()]) -> Response[str]:
    """Your account as it was at an instant."""
    return show_statement.show_state_at(composition.stores(), principal(app).user_id, time)


@app.get(
    "/v1/statements",
    responses={
        200: {
            "description": "Opening balance, entries, closing balance",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {}},
        }
    },
)
def statements(
    start: Annotated[AwareDatetime | date | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | date | None, Query(alias="to")] = None,
    form: Annotated[show_statement.Format, Query(alias="format")] = "json",
    limit: Limit = 50,
    cursor: SeqCursor = None,
) -> Response[str]:
    """What moved your cash. A day counts whole, in India; an instant `to` is not part of it."""
    after = 0 if cursor is None else int(cursor)
    return show_statement.show_statement(
        composition.stores(), principal(app).user_id, start, until, after, limit, form
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
