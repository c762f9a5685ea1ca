"""`outcry orders`: what stands between our orders and the venue's word, and what to do.

Invariant: `lost` only reads. What it lists heals by itself, or waits for the person who reads this;
each line says which. `replay` and `settle` end what was parked or put aside, and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import cyclopts
from cyclopts import Parameter

from infra.command.exits import (
    CHECK_FAILED,
    DONE,
    NOT_REACHABLE,
    REFUSED,
    WRONG_USAGE,
    Failure,
)
from infra.command.parked import Parked
from infra.command.place import home, owner_urls, running_stack
from infra.command.put_aside import PutAside
from infra.command.trading import show_orders
from infra.local.home import StackFile

orders_app = cyclopts.App(name="orders", help="Your orders, and those something is wrong with.")
orders_app.default(show_orders)

LISTED_MOST: Final = 200
"""Lines of each kind, on each shard."""

_AT_HOME: Final = (
    "user_id & 63 IN (SELECT slot FROM ledger.slot WHERE state IN ('HERE', 'LEAVING'))"
)
# The gateway asks after 5 seconds; what it asked about a minute ago is not on its way any more.
_UNANSWERED: Final = f"""
SELECT order_id, user_id, symbol, CASE WHEN status = 'PENDING' THEN 'the order'
    ELSE 'the ' || lower(pending_change) END, date_trunc('second', touched_at)
FROM ledger.orders WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
  AND (status = 'PENDING' OR pending_change IS NOT NULL)
  AND touched_at < clock_timestamp() - interval '1 minute' AND {_AT_HOME}
ORDER BY touched_at LIMIT {LISTED_MOST}
"""
_EARLY: Final = f"""
SELECT order_id, user_id, cumulative, at FROM ledger.early_ending WHERE {_AT_HOME}
ORDER BY at, order_id LIMIT {LISTED_MOST}
"""
_PARKED: Final = f"""
SELECT session, position, user_id, order_id, why, at FROM ledger.parked_execution
ORDER BY at, session, position LIMIT {LISTED_MOST}
"""
_DIFFERENCES: Final = f"""
SELECT session, kind, subject, ledger_says, venue_says, date_trunc('second', cancelled_at)
FROM venue.difference
WHERE settled_at IS NULL ORDER BY kind, subject, session LIMIT {LISTED_MOST}
"""

#: What to do about a parked report, by how its reason begins.
_PARKED_ADVICE: Final[Mapping[str, str]] = {
    "BEHIND_A_PARKED_REPORT": "nothing by itself: it is behind the user's first parked report",
    "BUSTED_SHARES_SOLD": "agree with the exchange what becomes of shares that were sold on",
    "AMENDED_AFTER_ITS_DAY": "settle it with the exchange: its day is settled and charged for",
    "POSITION_SETTLED": "settle it with the exchange: the position was delivered or closed out",
    "NO_SUCH_TRADE": "ask the exchange for the trade: a bust or correction of one we never had",
    "UNKNOWN_ORDER": "ask the exchange whose order it is: none of ours has that number",
    "UNKNOWN_ACCOUNT": "ask the exchange whose order it is: none of our users has that number",
    "NEVER_SENT": "ask the exchange: the order was never handed to it",
    "EXEC_ID_REUSED": "ask the exchange which of the two reports of that ExecID is meant",
    "UNREADABLE": "keep the bytes; the exchange tells the report again after a reconnect",
}
_PARKED_OTHERWISE: Final = "hold the report against the order's history and the exchange's word"
#: What to do about a difference that the gateway noted, by its kind.
_ADVICE: Final[Mapping[str, str]] = {
    "LOST_ORDER": "the exchange no longer has it: ask what became of it; once its day is over, the"
    " gateway's next question or a cancel ends it",
    "UNKNOWN_ORDER": "the exchange has an order that is not ours to have open: have it cancelled",
    "UNEQUAL_ORDER": "the two have it otherwise: a report is missing; ask the exchange for it",
    "MISSING_FILL": "the drop copy tells it; it is being booked",
    "UNKNOWN_FILL": "no drop copy tells it: ask the exchange whether it stands",
    "UNEQUAL_FILL": "the two reports of it differ: ask the exchange which one stands",
}


class Line(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    what: str
    do: str

    def text(self) -> str:
        return f"{self.what}\n    {self.do}"


@orders_app.command
def lost() -> int:
    """List orders that the exchange never answered, reports that could not be booked or read, and
    orders and trades that the exchange has otherwise, each with what to do. Exits 1 when there are
    any."""
    stack = running_stack(home())
    urls = owner_urls(stack)
    found = [*read_lost(urls), *put_aside_lines(_put_aside(stack, urls))]
    for line in found:
        print(line.text())
    if not found:
        print("nothing is lost")
    return CHECK_FAILED if found else DONE


@orders_app.command
def replay(*names: str) -> int:
    """Hand reports that were parked or put aside to the ledger again: what can be booked by now is.

    Args:
        names: as `orders lost` names them; none for all
    """
    from functions.shared.clock import open_clock
    from infra.command import parked, put_aside
    from infra.local.plan import EXECUTION_PARTITIONS

    stack = running_stack(home())
    urls, streams = owner_urls(stack), stack.stores.streams
    aside, stuck = _named(_put_aside(stack, urls), parked.read_parked(urls), names)
    unread = {item.name: why for item in aside if (why := put_aside.unread_because(item))}
    put_aside.hand_on(
        urls[0], streams, [item for item in aside if item.name not in unread], EXECUTION_PARTITIONS
    )
    clock = open_clock(f"file://{home().clock}")
    judged = parked.judge_again(stuck, clock.hours, clock.now())
    unread |= {item.name: item.why for item in stuck if item not in judged}
    both: list[PutAside | Parked] = [*aside, *stuck]
    for item in both:
        why = unread.get(item.name)
        print(f"{item.name} " + (f"stays: {why}" if why else "the ledger has it"))
    return CHECK_FAILED if unread else DONE


@orders_app.command
def settle(name: str, *, note: Annotated[str, Parameter(required=True)]) -> int:
    """End a report that was parked or put aside and can't be booked, with what became of it.

    Args:
        name: as `orders lost` names it
        note: what was agreed with the exchange; it is kept with the report
    """
    from infra.command import parked, put_aside

    if not note.strip():
        raise Failure("--note says what became of it", WRONG_USAGE)
    stack = running_stack(home())
    urls = owner_urls(stack)
    aside, stuck = _named(_put_aside(stack, urls), parked.read_parked(urls), [name])
    for unread in aside:
        put_aside.settle(urls[0], unread, note.strip())
    for report in stuck:
        parked.settle(urls[0], report, note.strip())
    print(f"{name} is settled")
    return DONE


def _put_aside(stack: StackFile, urls: Sequence[str]) -> list[PutAside]:
    """Ends the command with NOT_REACHABLE when the streams don't answer."""
    from functions.shared.domain.errors import Retryable
    from infra.command.put_aside import read_put_aside, read_settled

    try:
        return read_put_aside(stack.stores.streams, read_settled(urls[0]))
    except Retryable as error:
        raise Failure(f"the streams do not answer: {error}", NOT_REACHABLE) from error


def _named(
    aside: Sequence[PutAside], stuck: Sequence[Parked], names: Sequence[str]
) -> tuple[list[PutAside], list[Parked]]:
    """Those of these names, or all. Ends the command with REFUSED for a name that none has."""
    known = {item.name for item in aside} | {item.name for item in stuck}
    for name in names:
        if name not in known:
            raise Failure(f"no report that was parked or put aside is named {name}", REFUSED)
    wanted = set(names) or known
    return [i for i in aside if i.name in wanted], [i for i in stuck if i.name in wanted]


def put_aside_lines(items: Sequence[PutAside]) -> Iterator[Line]:
    """What stands put aside, and what to do about each."""
    from infra.command.put_aside import unread_because

    for item in items[:LISTED_MOST]:
        why = unread_because(item)
        if why is None:
            do = f"this version reads it: `outcry orders replay {item.name}` hands it on"
        elif item.is_trade:
            do = (
                f"booked nowhere ({why}): agree with the exchange whose trade it is, then"
                f" `outcry orders settle {item.name} --note ...`"
            )
        else:
            do = f"no trade ({why}): look at it, then `outcry orders settle {item.name} --note ...`"
        yield Line(f"put aside  {item.name} on {item.session}: {item}", do)


def read_lost(postgres_owner_urls: Sequence[str]) -> Iterator[Line]:
    """Everything, shard by shard; shard 0 has what the gateway noted. Raises pg8000's errors."""
    from infra.local.postgres import connect

    for number, url in enumerate(postgres_owner_urls):
        connection = connect(url)
        try:
            unanswered, parked = connection.run(_UNANSWERED), connection.run(_PARKED)
            early = connection.run(_EARLY)
            differences: list[list[Any]] = [] if number else connection.run(_DIFFERENCES)
        finally:
            connection.close()
        for order_id, user_id, symbol, what, since in unanswered:
            yield Line(
                f"unanswered  order {order_id} of user {user_id}, {symbol}: {what} since {since}",
                "the gateway asks every 5 s while the session is on: see `outcry status` and"
                " `outcry logs gateway`",
            )
        for order_id, user_id, counted, at in early:
            yield Line(
                f"ended early  order {order_id} of user {user_id}: the exchange ended it with"
                f" {counted} filled, {at}",
                "it ends when those fills are booked; look for them among what was put aside, and"
                " ask the exchange for them",
            )
        for session, position, user_id, order_id, why, at in parked:
            advice = _PARKED_ADVICE.get(why.partition(" ")[0], _PARKED_OTHERWISE)
            yield Line(
                f"parked  {session}/{position}, order {order_id} of user {user_id}: {why}, {at}",
                f"{advice}; then `outcry orders replay` or `settle {session}/{position}`",
            )
        for session, kind, subject, ours, theirs, cancelled_at in differences:
            yield Line(
                f"{kind.lower()}  {subject} on {session}: the ledger says {ours or 'nothing'},"
                f" the exchange {theirs or 'nothing'}",
                _ADVICE[kind]
                if cancelled_at is None
                else f"the gateway asked the exchange at"
                f" {cancelled_at} to cancel it, and asks each minute while it is there",
            )
