"""`outcry orders lost`: what stands between our orders and the venue's word, and what to do.

Invariant: it only reads. What is listed heals by itself, or waits for the person who reads this;
each line says which.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import cyclopts

from infra.command.exits import CHECK_FAILED, DONE
from infra.command.place import home, owner_urls, running_stack

orders_app = cyclopts.App(name="orders", help="Orders that something is wrong with.")

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
_PARKED: Final = f"""
SELECT session, position, user_id, order_id, why, at FROM ledger.parked_execution
ORDER BY at, session, position LIMIT {LISTED_MOST}
"""
_DIFFERENCES: Final = f"""
SELECT session, kind, subject, ledger_says, venue_says FROM venue.difference
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
    "LOST_ORDER": "the exchange no longer has it: cancel it, or ask the exchange what became of it",
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
    """List orders that the exchange never answered, reports that could not be booked, and orders
    and trades that the exchange has otherwise, each with what to do. Exits 1 when there are any."""
    found = list(read_lost(owner_urls(running_stack(home()))))
    for line in found:
        print(line.text())
    if not found:
        print("nothing is lost")
    return CHECK_FAILED if found else DONE


def read_lost(postgres_owner_urls: Sequence[str]) -> Iterator[Line]:
    """Everything, shard by shard; shard 0 has what the gateway noted. Raises pg8000's errors."""
    from infra.local.postgres import connect

    for number, url in enumerate(postgres_owner_urls):
        connection = connect(url)
        try:
            unanswered, parked = connection.run(_UNANSWERED), connection.run(_PARKED)
            differences: list[list[Any]] = [] if number else connection.run(_DIFFERENCES)
        finally:
            connection.close()
        for order_id, user_id, symbol, what, since in unanswered:
            yield Line(
                f"unanswered  order {order_id} of user {user_id}, {symbol}: {what} since {since}",
                "the gateway asks every 5 s while the session is on: see `outcry status` and"
                " `outcry logs gateway`",
            )
        for session, position, user_id, order_id, why, at in parked:
            advice = _PARKED_ADVICE.get(why.partition(" ")[0], _PARKED_OTHERWISE)
            yield Line(
                f"parked  {session} {position}, order {order_id} of user {user_id}: {why}, {at}",
                advice,
            )
        for session, kind, subject, ours, theirs in differences:
            yield Line(
                f"{kind.lower()}  {subject} on {session}: the ledger says {ours or 'nothing'},"
                f" the exchange {theirs or 'nothing'}",
                _ADVICE[kind],
            )
