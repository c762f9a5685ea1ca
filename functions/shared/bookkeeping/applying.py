"""Applying what the venue reported: one round trip that dedupes, posts and moves the order on.

Invariant: a report is applied once whatever the stream does; a report that contradicts the order's
life is parked with its user's later ones, and everybody else goes on.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import msgspec

from functions.shared.clock import from_micros
from functions.shared.stores.postgres import Shards, SlotHome
from functions.shared.wire.executions import ExecutionReport

#: Applies a report; its parameters are what `arguments` makes.
APPLY: Final = (
    "SELECT outcome, why, seq FROM ledger.apply_execution(:session, :position, :user_id,"
    " :order_id, :request, :exec_id, :exec_type, :ord_status, :venue_order_id, :quantity,"
    " :price, :cumulative, :trade_date, :settles_on, :transacted_at, :reject_code, :code, :text,"
    " :report, :today, :now, :exec_ref)"
)
_PARK = (
    "SELECT ledger.park_execution(:session, :position, :user_id, :order_id, :why, :report, :now)"
)
_PARK_UNREADABLE = "SELECT ledger.park_unreadable(:session, 0, :report, :now)"

#: SQLSTATE classes that are about a report's own values: data exception, integrity constraint
#: violation. Every other unexpected code is about the database, and would meet the next report too.
REFUSED_CLASSES: Final = ("22", "23")

#: FIX tag 103 (OrdRejReason) and 102 (CxlRejReason) as stable codes for clients.
_ORDER_REJECTS: Final = {
    0: "VENUE_REJECTED",
    1: "VENUE_UNKNOWN_SYMBOL",
    2: "VENUE_CLOSED",
    3: "VENUE_LIMIT_EXCEEDED",
    5: "VENUE_UNKNOWN_ORDER",
    6: "VENUE_DUPLICATE_ORDER",
}
#: What the venue's Text(58) says when it ends an order that nobody asked it to cancel. With any
#: other text, too, the order ends, and a GTC goes on in the next session.
_VENUE_CANCELS: Final = {
    "self-trade prevention": "SELF_TRADE_PREVENTED",
    "unfilled remainder": "NOT_FILLED_AT_ONCE",
}
_CHANGE_REJECTS: Final = {
    0: "TOO_LATE",
    1: "VENUE_UNKNOWN_ORDER",
    2: "VENUE_REJECTED",
    3: "CHANGE_IN_FLIGHT",
    6: "VENUE_DUPLICATE_REQUEST",
}


@dataclass(frozen=True, slots=True)
class Applied:
    """`why` says what is wrong with a parked report, what one waits for, or that the venue counts
    more fills than this account has; `seq` is the event it became, 0 for none."""

    outcome: Literal["APPLIED", "DUPLICATE", "NOTHING", "WAITING", "PARKED"]
    why: str | None
    seq: int


def apply_execution(
    shards: Shards, report: ExecutionReport, settles_on: date, today: date, now: datetime
) -> Applied:
    """Applies one report. `settles_on`: when trades of the report's trade date settle; `today`:
    the trade date it is now. Raises Retryable when the ledger can't answer: deliver it again."""
    return Applied(
        *_home_of(shards, report).call(APPLY, **arguments(report, settles_on, today, now))[0]
    )


def arguments(
    report: ExecutionReport, settles_on: date, today: date, now: datetime
) -> dict[str, object]:
    """The parameters of APPLY."""
    return {
        "session": report.session,
        "position": report.position,
        "user_id": report.user_id,
        "order_id": report.order_id,
        "request": report.request,
        "exec_id": report.exec_id,
        "exec_type": report.exec_type,
        "ord_status": report.ord_status,
        "venue_order_id": report.venue_order_id,
        "quantity": report.last_quantity,
        "price": report.last_price,
        "cumulative": report.cumulative_quantity,
        "trade_date": date.fromisoformat(report.trade_date),
        "settles_on": settles_on,
        "transacted_at": from_micros(report.transacted_at),
        "reject_code": report.reject_code,
        "code": _code_of(report),
        "text": report.text,
        "report": msgspec.json.encode(report).decode(),
        "today": today,
        "now": now,
        "exec_ref": report.exec_ref,
    }


def park_execution(shards: Shards, report: ExecutionReport, why: str, now: datetime) -> Applied:
    """Keeps a report that the database refused for a person to look at, its user's later ones
    behind it, and settles its session position. A second delivery parks nothing twice."""
    _home_of(shards, report).call(
        _PARK,
        session=report.session,
        position=report.position,
        user_id=report.user_id,
        order_id=report.order_id,
        why=why,
        report=msgspec.json.encode(report).decode(),
        now=now,
    )
    return Applied("PARKED", why, 0)


def park_unreadable(
    shards: Shards, stream: str, sequence_number: str, data: bytes, now: datetime
) -> None:
    """Keeps a record that can't be decoded for a person to look at, so that the rest goes on.
    `sequence_number` is the stream's own, so a second delivery parks nothing twice."""
    place = f"{stream}:{sequence_number}"
    shards.control.run(_PARK_UNREADABLE, session=place, report=data.hex(), now=now)


def _home_of(shards: Shards, report: ExecutionReport) -> SlotHome:
    """The venue's cancel rejects name the order but not always the account: user 0."""
    return shards.of_user(report.user_id) if report.user_id else shards.of_order(report.order_id)


def _code_of(report: ExecutionReport) -> str | None:
    ended = report.ord_status if report.exec_type == "I" else report.exec_type
    if ended == "C":
        return "DAY_ENDED"
    if ended == "4":
        return _VENUE_CANCELS.get(report.text, "VENUE_CANCELLED")
    if report.reject_code is None:
        return None
    if (report.exec_type, report.reject_code) == ("I", 5):
        return "NEVER_AT_VENUE"
    table = _CHANGE_REJECTS if report.exec_type == "9" else _ORDER_REJECTS
    return table.get(report.reject_code, "VENUE_REJECTED")
