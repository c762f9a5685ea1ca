"""Replays the model over each user's log and compares the account after every event.

What was asked comes from the history, in which order from the log. The first difference of a user
is named; what follows it would be wrong because of it.
"""

import json
from collections.abc import Iterator
from datetime import date

from tests.history.effects import Key, Request, day
from tests.history.record import Facts
from tests.history.rows import Books, Event
from tests.support.ledger_oracle import Account, Entry, Report
from tests.support.oracle_order import Order

_AHEAD = {"BORROWED"}
"""Events that stand before the one they belong to."""


def differences(requests: dict[Key, Request], books: Books) -> Iterator[str]:
    causes = {(r.user, r.seq): r for r in requests.values() if r.seq is not None}
    for user, log in books.events.items():
        account = Account()
        found = None
        while found is None and len(account.log) < len(log):
            found = _step(account, user, log, causes)
        if found is not None:
            yield found
        elif len(account.log) > len(log):
            yield f"user {user}: the log ends before {account.log[len(log)]}"
        else:
            yield from _end(account, user, books)


def _step(
    account: Account, user: int, log: list[Event], causes: dict[tuple[int, int], Request]
) -> str | None:
    """Does what the next event was asked for, and compares all events that this must write."""
    start = main = len(account.log)
    while main < len(log) - 1 and log[main].kind in _AHEAD:
        main += 1
    event = log[main]
    where = f"user {user} seq {event.seq}: {event.kind}"
    if event.kind == "ACCOUNT_OPENED":
        account.opened()
    elif event.kind == "SETTLED":
        account.settle(_settled(event))
    elif (request := causes.get((user, event.seq))) is None:
        return f"{where} of {event.ref} was asked for by nobody"
    elif (answer := _do(account, request, event)) is not None:
        return f"{where}, where the model says {answer} ({request.cause()})"
    if len(account.log) == start:
        return f"{where}, where the model writes nothing"
    for said, written in zip(account.log[start:], log[start:], strict=False):
        if said != _entry(written):
            return f"user {user} seq {written.seq}: {_entry(written)}, the model says {said}"
    return None


def _do(account: Account, request: Request, event: Event) -> str | None:
    """Does in the model what was asked. Returns the model's answer where it is none of an event."""
    asked = request.cause().asked
    match request.key[0]:
        case "place":
            assert event.ref is not None
            order, today = _order(asked, event), day(asked["today"])
            account.place(event.ref, order, today, asked["open_orders_most"])
        case "deposit":
            account.deposit(asked["amount"], day(asked["today"]))
        case "withdraw":
            assert event.ref is not None
            account.withdraw(event.ref, asked["amount"], day(asked["today"]))
        case "payout":
            account.payout_ended(asked["payment"], asked["paid"], day(asked["today"]))
        case "cancel":
            if not account.request_cancel(asked["order"], day(asked["today"])):
                return "it can't be cancelled"
        case "modify":
            terms = (asked["quantity"], asked["price"], day(asked["today"]))
            taken = account.request_modify(asked["order"], *terms)
            if not taken and event.kind != "CHANGE_DENIED":
                return "it can't be modified"
        case "report":
            outcome = account.report(_report(asked), day(asked["today"]))
            return None if outcome == "APPLIED" else outcome
    return None


def _order(asked: Facts, event: Event) -> Order:
    return Order(
        symbol=asked["symbol"], side=asked["side"], product=asked["product"],
        quantity=asked["quantity"], price=asked["price"], trade_date=day(asked["today"]),
    )  # fmt: skip


def _report(asked: Facts) -> Report:
    return Report(
        asked["order"], asked["exec_id"], asked["exec_type"], asked["request"], asked["quantity"],
        asked["price"], day(asked["trade_date"]), day(asked["settles_on"]),
    )  # fmt: skip


def _settled(event: Event) -> date:
    """The last day that the event settles: everything due by then must be in it."""
    return max(day(due["settles_on"]) for due in json.loads(event.body)["settled"])


def _entry(event: Event) -> Entry:
    funds = json.loads(event.body)["funds"]
    return Entry(event.kind, event.ref, event.cash_change, event.held_change, event.cash,
                 event.held, event.borrowed, funds["unsettled"], funds["blocked"])  # fmt: skip


def _end(account: Account, user: int, books: Books) -> Iterator[str]:
    """The rows beside the log: snapshot, orders, lots, days."""
    row = books.accounts[user]
    said = (account.cash, account.held(), account.borrowed, account.unsettled(), account.blocked(),
            account.open_orders())  # fmt: skip
    if said != row[3:]:
        yield f"user {user}: the account is {row[3:]}, the model says {said}"
    for order in (o for o in books.orders if o.user == user):
        mine = account.orders[order.order]
        if (mine.status, mine.filled) != (order.status, order.filled):
            yield f"order {order.order}: {order}, the model says {mine.status} {mine.filled}"
    lots = {lot[1:] for lot in books.lots if lot.user == user}
    mine_lots = {(symbol, x.number, x.bought, x.quantity, x.cost)
                 for symbol, kept in account.lots.items() for x in kept}  # fmt: skip
    if lots != mine_lots:
        yield f"user {user}: lots {lots - mine_lots}, the model says {mine_lots - lots}"
    dues = {due[1:] for due in books.dues if due.user == user}
    mine_dues = {(on, due.unsettled, due.blocked) for on, due in account.dues.days.items()}
    if dues != mine_dues:
        yield f"user {user}: due {dues - mine_dues}, the model says {mine_dues - dues}"
