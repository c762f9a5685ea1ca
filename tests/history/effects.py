"""Which event each call became, from the ledger's own rows: this resolves what nobody was answered.

Invariant: calls with the same key are one request with one effect, and an effect that no call
explains is a finding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tests.history.record import Operation
from tests.history.rows import Books, Event

Key = tuple[object, ...]
#: What asking for a change becomes; a conflict is of its moment and leaves nothing.
CHANGES = {"CANCEL_REQUESTED", "CANCEL_REPEATED", "MODIFY_REQUESTED", "CHANGE_DENIED"}


@dataclass(slots=True)
class Request:
    """All calls of one key, the first asked first, and the event they became if they did."""

    key: Key
    user: int
    calls: list[Operation]
    begun: int
    seq: int | None = None

    def answered(self) -> Iterable[Operation]:
        return (call for call in self.calls if call.outcome == "ok")

    def cause(self) -> Operation:
        """The call whose words the ledger took: of several bodies under one key, the first that
        was not turned away."""
        return next((c for c in self.calls if c.outcome != "fail"), self.calls[0])

    def done(self) -> int | None:
        """When somebody knew of the effect; None when nobody was told."""
        ends = (call.ended for call in self.answered())
        return min((ended for ended in ends if ended is not None), default=None)


def key_of(call: Operation) -> Key | None:
    """What makes a call the same request as another; None for one that changes nothing."""
    asked = call.asked
    match call.what:
        case "place" | "deposit" | "withdraw":
            return (call.what, call.user, asked["key"])
        case "payout":
            return (call.what, call.user, asked["payment"])
        case "cancel" | "modify":
            return (call.what, call.user, asked["order"], asked["key"])
        case "report":
            return ("report", asked["trade_date"], asked["exec_id"], asked["order"])
    return None


def requests(operations: Iterable[Operation], books: Books) -> dict[Key, Request]:
    """Every request that was made, with its event where it has one."""
    found: dict[Key, Request] = {}
    for call in operations:
        key = key_of(call)
        if key is not None:
            request = found.setdefault(key, Request(key, call.user, [], call.invoked))
            request.calls.append(call)
            request.begun = min(request.begun, call.invoked)
    for key, (user, seq) in _recorded(books).items():
        if key in found and found[key].user == user:
            found[key].seq = seq
    _match_refusals(found, books)
    return found


def _recorded(books: Books) -> dict[Key, tuple[int, int]]:
    """The events that the ledger's own tables tie to a key."""
    keyed: dict[Key, tuple[int, int]] = {}
    for order in books.orders:
        keyed["place", order.user, order.key] = (order.user, order.seq)
    for deposit in books.deposits:
        keyed["deposit", deposit.user, deposit.key] = (deposit.user, deposit.seq)
    for out in books.withdrawals:
        keyed["withdraw", out.user, out.key] = (out.user, out.requested)
        if out.ended is not None:
            keyed["payout", out.user, out.number] = (out.user, out.ended)
    for done in books.executions:
        key = ("report", done.trade_date.isoformat(), done.exec_id, done.order)
        keyed[key] = (done.user, done.seq)
    for event in (e for log in books.events.values() for e in log if e.kind in CHANGES):
        kind, number, _ = json.loads(event.body)["change_key"].split(" ", 2)
        what = "cancel" if kind == "cancel" else "modify"
        keyed[what, event.user, event.ref, number] = (event.user, event.seq)
    return keyed


def _match_refusals(found: dict[Key, Request], books: Books) -> None:
    """The log does not name the report of a change that the venue refused. An answer that names the
    event claims it; what nobody claims goes to a report without an answer."""
    rivals: dict[object, list[Request]] = {}
    for request in found.values():
        if request.key[0] == "report" and request.seq is None:
            rivals.setdefault(request.calls[0].asked["order"], []).append(request)
    events = [e for log in books.events.values() for e in log if e.kind == "CHANGE_REFUSED"]
    for match in (_claims, _may_be):
        left = []
        for event in events:
            asking = rivals.get(event.ref, [])
            mine = [r for r in asking if r.seq is None and match(r, event)]
            if mine:
                mine[0].seq = event.seq
                # Whoever asked first may have been the one.
                mine[0].begun = min(r.begun for r in asking)
            else:
                left.append(event)
        events = left


def _claims(request: Request, event: Event) -> bool:
    return any(call.answer.get("seq") == event.seq for call in request.answered())


def _may_be(request: Request, _event: Event) -> bool:
    heard = any(call.outcome in {"ok", "info"} for call in request.calls)
    return heard and bool(request.cause().asked["exec_type"] == "9")


def day(text: str) -> date:
    return date.fromisoformat(text)
