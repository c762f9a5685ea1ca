"""An account's statement as a client reads it, as JSON or as CSV, and its state at an instant.

Invariant: both forms are made from the same rows of text, so they can't differ; opening plus what
is listed is closing, on each page.
"""

import csv
import io
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response

from functions.ledger.describe_movement import describe_movement
from functions.ledger.read_books import render_row
from functions.shared.bookkeeping import statements
from functions.shared.bookkeeping.statements import Statement, StatementLine
from functions.shared.clock import INDIA, micros
from functions.shared.domain.errors import Refused
from functions.shared.domain.money import format_amount
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.wire.events import format_time

Format = Literal["json", "csv"]
#: A whole day in India, or an instant.
Bound = date | datetime

#: The columns of the CSV, which are the members of a JSON entry. Programs read them by name and by
#: place: a new one is added at the end.
COLUMNS: Final = (
    "time", "seq", "kind", "ref", "description", "debit", "credit", "balance", "payment_id",
    "client_id",
)  # fmt: skip


def show_state_at(stores: Stores, user_id: int, moment: datetime) -> Response[str]:
    """The account as it was at `moment`. Raises Refused for a moment that is still to come."""
    if moment > stores.clock.now():
        raise Refused(400, "INVALID_REQUEST", "time: is still to come")
    state = statements.state_at(stores.shards, user_id, moment)
    return respond({"as_of": format_time(micros(moment)), **render_row(state), "currency": "INR"})


def show_statement(
    stores: Stores,
    user_id: int,
    start: Bound | None,
    until: Bound | None,
    after: int,
    rows: int,
    form: Format,
) -> Response[str]:
    """What moved the account's cash from `start` to `until`, which are the beginning and now when
    left out: a day counts from its first moment to its last in India, an instant `until` is not
    part of it. Raises Refused when they are turned."""
    begins = None if start is None else _first_moment(start)
    ends = stores.clock.now() + datetime.resolution if until is None else _end(until)
    whole_day = until is not None and not isinstance(until, datetime)
    if begins is not None and (begins > ends or (whole_day and begins == ends)):
        raise Refused(400, "INVALID_REQUEST", "from: is after to")
    found = statements.statement(stores.shards, user_id, begins, ends, after, rows)
    if form == "csv":
        return _csv_answer(found, start, until, rows)
    return respond(
        {
            "from": None if begins is None else format_time(micros(begins)),
            "to": format_time(micros(ends)),
            "currency": "INR",
            "opening": format_amount(found.opening),
            "entries": [render_entry(line) for line in found.lines],
            "closing": format_amount(found.closing),
            "next": None if found.next is None else str(found.next),
        }
    )


def _first_moment(bound: Bound) -> datetime:
    return bound if isinstance(bound, datetime) else _midnight(bound, timedelta())


def _end(bound: Bound) -> datetime:
    return bound if isinstance(bound, datetime) else _midnight(bound, timedelta(days=1))


def _midnight(day: date, later: timedelta) -> datetime:
    try:
        return datetime.combine(day + later, time(), INDIA).astimezone(UTC)
    except OverflowError as error:
        message = f"from, to: {day} is at the end of the calendar"
        raise Refused(400, "INVALID_REQUEST", message) from error


def render_entry(line: StatementLine) -> dict[str, str | int | None]:
    """`payment_id` and `client_id` say of money in and out whose request it was."""
    amount = format_amount(abs(line.amount))
    payment = line.movement.payment
    return {
        "time": format_time(line.at),
        "seq": line.seq,
        "kind": line.kind,
        "ref": None if line.ref is None else str(line.ref),
        "description": describe_movement(line),
        "debit": amount if line.amount < 0 else None,
        "credit": amount if line.amount > 0 else None,
        "balance": format_amount(line.balance),
        "payment_id": None if payment is None else str(payment.payment_id),
        "client_id": line.movement.client_id if payment is None else payment.client_id,
    }


def render_csv(found: Statement) -> str:
    """RFC 4180: a header, the opening balance, the entries, and the closing balance, which is
    named as carried forward when more entries are on the next page."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerow(_total("OPENING", "Opening balance", found.opening))
    writer.writerows(render_entry(line) for line in found.lines)
    if found.next is None:
        writer.writerow(_total("CLOSING", "Closing balance", found.closing))
    else:
        writer.writerow(_total("CARRIED_FORWARD", "Balance carried forward", found.closing))
    return text.getvalue()


def _total(kind: str, description: str, balance: int) -> dict[str, str]:
    return {"kind": kind, "description": description, "balance": format_amount(balance)}


def _csv_answer(
    found: Statement, start: Bound | None, until: Bound | None, rows: int
) -> Response[str]:
    """A table has no place for a cursor: the next page is in the Link header (RFC 8288)."""
    headers: dict[str, str | list[str]] = {
        "Content-Disposition": 'attachment; filename="statement.csv"'
    }
    if found.next is not None:
        asked = {"from": start, "to": until, "limit": rows, "cursor": found.next, "format": "csv"}
        given = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asked.items()
            if value is not None
        }
        headers["Link"] = f'</v1/statements?{urlencode(given)}>; rel="next"'
    return Response(
        status_code=HTTPStatus.OK,
        content_type="text/csv; charset=utf-8",
        body=render_csv(found),
        headers=headers,
    )
