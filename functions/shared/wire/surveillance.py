"""What the fraud watch keeps of a user, as text; and a ledger event or an entry of the audit trail
as the rules know it.

Invariant: what is kept is read back as it was written, by its version; a happening has the trade
date of its business time, whatever the day it is counted on.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from functions.shared.clock import from_micros, micros, trade_date
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.orders import WORKING
from functions.shared.domain.surveillance.findings import Finding, Reason
from functions.shared.domain.surveillance.watched import (
    Asked,
    Ended,
    Happening,
    MoneyOut,
    Placed,
    Told,
    Traded,
    Watch,
)
from functions.shared.wire.events import FillFacts, FundsFacts, OrderFacts

_ASKS: Final = frozenset({"MODIFY_REQUESTED", "CANCEL_REQUESTED"})


class _Payment(msgspec.Struct, frozen=True):
    amount: int


class SeenBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at of an event's body."""

    order: OrderFacts | None = None
    fill: FillFacts | None = None
    funds: FundsFacts | None = None
    payment: _Payment | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a user's log, as far as the rules look at it."""

    user_id: int
    user_seq: int
    kind: str
    at: int
    body: SeenBody


class _Kept(msgspec.Struct, frozen=True):
    watch: Watch
    v: int = 1


_seen = msgspec.json.Decoder(Seen)
_body = msgspec.json.Decoder(SeenBody)
_kept = msgspec.json.Decoder(_Kept)


def decode_seen(data: bytes) -> Seen:
    """A record of the stream `ledger-events`. Raises PeerProtocolError."""
    try:
        return _seen.decode(data)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"not an event of the ledger: {error}") from error


def decode_seen_body(text: str) -> SeenBody:
    return _body.decode(text)


def encode_watch(watch: Watch) -> str:
    return msgspec.json.encode(_Kept(watch)).decode()


def decode_watch(text: str) -> Watch:
    return _kept.decode(text).watch


def happening_of(event: Seen) -> Happening | None:
    """None for an event that no rule looks at."""
    body, at = event.body, event.at
    order = body.order
    if body.fill is not None:
        fill = body.fill
        ends = order is None or order.status not in WORKING
        return Traded(
            fill.trade_date, at, fill.order_id, fill.symbol, fill.side, fill.quantity, fill.value,
            fill.price, ends,
        )  # fmt: skip
    day = _day(at)
    if event.kind == "WITHDRAWAL_REQUESTED" and body.funds is not None and body.payment is not None:
        out = body.payment.amount
        return MoneyOut(day, at, out, body.funds.cash + out)
    if order is None:
        return None
    if event.kind == "ORDER_PLACED":
        return Placed(day, at, order.order_id, order.symbol, order.side, order.quantity)
    if event.kind in _ASKS:
        return Asked(day, at, order.order_id, order.symbol)
    if order.status in WORKING:
        return None
    by_client = event.kind == "ORDER_CANCELLED" and order.reason_code is None
    return Ended(day, at, order.order_id, order.filled_quantity, by_client)


def told_of(action: str, at: datetime, detail: str) -> Told:
    """An entry of the trail; `at` is business time."""
    known: dict[str, Any] = msgspec.json.decode(detail)
    moment = micros(at)
    return Told(
        _day(moment), moment, action, bool(known.get("new_device")),
        int(known.get("refusals") or 0), str(known.get("country") or ""),
    )  # fmt: skip


def reasons_of(text: str) -> list[Reason]:
    return [Reason(**each) for each in msgspec.json.decode(text)]


def alert_row(finding: Finding, score: int, measure: str | None) -> dict[str, object]:
    """As `surveillance.take_in` reads it. The detail is what a measure needs, and whom it is of."""
    return {
        "rule": finding.rule.value,
        "user_id": finding.user_id,
        "symbol": finding.symbol,
        "day": finding.day,
        "raised_at": from_micros(finding.at).isoformat(),
        "score": score,
        "reasons": [reason._asdict() for reason in finding.reasons],
        "detail": {
            "order_id": None if finding.order_id is None else str(finding.order_id),
            "others": [str(other) for other in finding.others],
            "round_trips": finding.round_trips,
            "side": finding.side,
            "price": finding.price,
        },
        "measure": measure,
    }


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange is told of wash trades. `account` is tag 1 of the account's orders: nothing
    here says whose it is."""

    v: int = 1
    report: str
    trade_date: str
    account: str
    symbol: str
    raised_at: str
    round_trips: int


def encode_report(report: Reported) -> bytes:
    """The same report is the same bytes, so that writing it twice is no conflict."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _day(at: int) -> str:
    return trade_date(from_micros(at)).isoformat()
