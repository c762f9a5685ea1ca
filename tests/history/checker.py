"""Says whether a recorded history of concurrent calls, with kills in it, is explained by the books.

Invariant: nothing of `functions` is imported; what may happen is written a second time. The order
of events of a user is the ledger's own `seq`, so that no search for an order is needed: the checks
ask whether this one order explains every answer.

 * each log is whole: seq without gaps, every hash right, the outbox with each event once, in order;
 * each request has at most one event, every answer is that event's, and what was refused has none;
 * what was answered before something else was asked stands before it, reads included;
 * a model in plain integers, replayed over the log, gives the same account after every event;
 * postings sum to zero and no fill is booked twice.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.history import effects, replay
from tests.history.effects import Key, Request
from tests.history.record import Operation
from tests.history.rows import Books, Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(operations: Sequence[Operation], books: Books) -> list[str]:
    """Everything that is wrong, in words; nothing when the history is explained."""
    requests = effects.requests(operations, books)
    return [
        *_unexplained_answers(operations),
        *_broken_logs(books),
        *_broken_outbox(books),
        *_unbalanced(books),
        *_wrong_answers(requests, books),
        *_wrong_order(operations, requests),
        *replay.differences(requests, books),
    ]


def _unexplained_answers(operations: Sequence[Operation]) -> Iterator[str]:
    for call in operations:
        if call.outcome == "error":
            yield f"{call}: answered {call.answer}"


def _broken_logs(books: Books) -> Iterator[str]:
    for user, log in books.events.items():
        head = hashlib.sha256(struct.pack(">q", user)).digest()
        for expected, event in enumerate(log, 1):
            if event.seq != expected:
                yield f"user {user}: seq {expected} is missing"
                break
            head = event_hash(head, event)
            if event.hash != head:
                yield f"user {user} seq {event.seq}: the hash is not that of the row"
                break
        last, account = log[-1], books.accounts.get(user)
        if account is None or (account.seq, account.head) != (last.seq, last.hash):
            yield f"user {user}: the account is not at the end of its log, seq {last.seq}"


def event_hash(previous: bytes, e: Event) -> bytes:
    """sha256 of the hash before and every field of the event, integers big-endian."""
    kind, micros = e.kind.encode(), (e.at - _EPOCH) // timedelta(microseconds=1)
    fixed = struct.pack(">qqqh", e.user, e.seq, micros, len(kind)) + kind
    state = struct.pack(
        ">qqqqqq", e.ref or 0, e.cash_change, e.held_change, e.cash, e.held, e.borrowed
    )
    return hashlib.sha256(previous + fixed + state + e.body.encode()).digest()


def _broken_outbox(books: Books) -> Iterator[str]:
    """Every event leaves once, each user's in the order of the log. Nothing was drained here."""
    left: dict[int, list[int]] = {}
    for row in books.outbox:
        left.setdefault(row.user, []).append(row.seq)
    for user, log in books.events.items():
        if left.get(user, []) != [event.seq for event in log]:
            lost = {event.seq for event in log} - set(left.get(user, []))
            why = f"seq {min(lost)} never leaves" if lost else "events leave twice or out of order"
            yield f"user {user}, outbox: {why}"


def _unbalanced(books: Books) -> Iterator[str]:
    for total in books.sums:
        if total.amount:
            yield f"user {total.user} seq {total.seq}: {total.asset} sums to {total.amount}"


def _wrong_answers(requests: dict[Key, Request], books: Books) -> Iterator[str]:
    for request in requests.values():
        yield from _ANSWERS[str(request.key[0])](request, books)
    fills = Counter((e.trade_date, e.exec_id) for e in books.executions)
    for (day, number), times in fills.items():
        if times > 1:
            yield f"execution {number} of {day} is booked {times} times"
    booked = Counter((e.user, e.seq) for e in books.executions)
    for (user, seq), times in booked.items():
        if times > 1:
            yield f"user {user} seq {seq}: one event for {times} executions"


def _wrong_place(request: Request, books: Books) -> Iterator[str]:
    event = _event(books, request)
    for call in request.calls:
        if call.outcome == "fail" and event is None:
            yield f"{call}: its key is said to be used, but no order has it"
        if call.outcome != "ok":
            continue
        if event is None:
            yield f"{call}: answered {call.answer}, but there is no such order"
            continue
        if call.answer["order"] != event.ref:
            yield f"{call}: answered order {call.answer['order']}, the log has {event.ref}"
        denied = event.kind == "ORDER_DENIED"
        if (call.answer["status"] == "DENIED") is not denied:
            yield f"{call}: answered {call.answer['status']}, the log has {event.kind}"
    first = [c for c in request.answered() if c.answer["outcome"] != "REPLAY"]
    if len(first) > 1:
        yield f"{first[1]}: decided anew, {first[0]} had been answered"


def _wrong_payment(request: Request, books: Books) -> Iterator[str]:
    event = _event(books, request)
    for call in request.calls:
        if call.outcome == "fail" and call.answer.get("why") == "ID_REUSED" and event is None:
            yield f"{call}: its id is said to be used, but nothing has it"
        if call.outcome == "ok" and event is None:
            yield f"{call}: answered {call.answer}, but nothing is booked"
        elif call.outcome == "ok" and call.answer.get("seq", request.seq) != request.seq:
            yield f"{call}: answered seq {call.answer['seq']}, booked at {request.seq}"
    first = [c for c in request.answered() if not c.answer["replayed"]]
    if len(first) > 1:
        yield f"{first[1]}: done anew, {first[0]} had been answered"


def _wrong_payout(request: Request, books: Books) -> Iterator[str]:
    """A last word that was heard is booked; the withdrawal's row says which it was."""
    event = _event(books, request)
    for call in request.answered():
        if event is None:
            yield f"{call}: answered {call.answer}, but nothing is booked"


def _wrong_change(request: Request, books: Books) -> Iterator[str]:
    """A change that was answered stands in the log, taken or denied as the answer said."""
    event = _event(books, request)
    for call in request.answered():
        if event is None:
            yield f"{call}: answered {call.answer}, but the log has nothing of it"
        elif call.answer["accepted"] is (event.kind == "CHANGE_DENIED"):
            yield f"{call}: answered {call.answer}, the log has {event.kind}"


def _wrong_report(request: Request, books: Books) -> Iterator[str]:
    event = _event(books, request)
    applied = [c for c in request.answered() if c.answer["outcome"] == "APPLIED"]
    for call in request.answered():
        outcome = call.answer["outcome"]
        if outcome == "PARKED":
            yield f"{call}: parked ({call.answer['why']}), though the venue said nothing wrong"
        if outcome in {"APPLIED", "DUPLICATE"} and event is None:
            yield f"{call}: answered {outcome}, but nothing is booked"
        if outcome == "APPLIED" and call.answer["seq"] != request.seq:
            yield f"{call}: answered seq {call.answer['seq']}, booked at {request.seq}"
    if len(applied) > 1:
        yield f"{applied[1]}: applied anew, {applied[0]} had been answered"


_ANSWERS = {
    "place": _wrong_place,
    "deposit": _wrong_payment,
    "withdraw": _wrong_payment,
    "payout": _wrong_payout,
    "cancel": _wrong_change,
    "modify": _wrong_change,
    "report": _wrong_report,
}


def _event(books: Books, request: Request) -> Event | None:
    if request.seq is None:
        return None
    log = books.events.get(request.user, [])
    return log[request.seq - 1] if request.seq <= len(log) else None


def _wrong_order(operations: Sequence[Operation], requests: dict[Key, Request]) -> Iterator[str]:
    """In the order of the log no later place was known to be taken before an earlier one was asked
    for. A read stands behind the event it saw."""
    places: dict[int, list[tuple[float, int, int | None, str]]] = {}
    for request in requests.values():
        if request.seq is not None:
            item = (request.seq, request.begun, request.done(), str(request.calls[0]))
            places.setdefault(request.user, []).append(item)
    for call in operations:
        if call.what == "funds" and call.outcome == "ok":
            item = (call.answer["seq"] + 0.5, call.invoked, call.ended, str(call))
            places.setdefault(call.user, []).append(item)
    for items in places.values():
        latest, whose = -1, ""
        for seq, begun, done, name in sorted(items):
            if done is not None and done < latest:
                yield f"{name}: at seq {seq}, but was over before {whose}, ahead of it, began"
                break
            if begun > latest:
                latest, whose = begun, name
