"""`outcry reconcile`: compares the ledger's orders and fills with the exchange's own book.

Invariant: every trade of the venue is booked once with its quantity, price and order, nothing is
booked that the venue doesn't know, and each order has the status, the price and the filled
quantity it has there. A trade that was put aside, or is of an order that is not ours, is a problem
until a person has settled it (`outcry orders settle`). Like `verify_ledger` this shares no code
with what it checks.

A report on its way is no difference: what differs is looked at again, and counts when it is still
there after SETTLE_SECONDS.
"""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from infra.command.put_aside import read_put_aside, read_settled
from infra.command.report import Report
from infra.command.verify_ledger import connect

SETTLE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_HTTP_SECONDS: Final = 10.0
_PROBLEMS_MOST: Final = 50

#: The venue's words for a status, in ours.
_STATUS: Final[Mapping[str, str]] = {
    "NEW": "OPEN",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED",
    "FILLED": "FILLED",
    "CANCELED": "CANCELLED",
    "REJECTED": "REJECTED",
    "EXPIRED": "EXPIRED",
}

# A shard tells of the users who are at home on it; of others it may have an archive.
_AT_HOME = """
user_id & 63 IN (SELECT slot FROM ledger.slot WHERE state IN ('HERE', 'LEAVING'))
"""
# DENIED orders never left us, nor did those that wait or ended waiting; all others were handed to
# the venue.
_ORDERS = f"""
SELECT order_id, user_id, symbol, side, quantity, limit_price, filled_quantity, status
FROM ledger.orders WHERE status <> 'DENIED'
  AND (coalesce(trigger_price::text, releases_at::text) IS NULL OR released_seq IS NOT NULL)
  AND {_AT_HOME}
"""
# The trades that stand, each by its first report: so the venue names one that it has corrected.
_FILLS = f"""
WITH RECURSIVE told AS (
  SELECT venue, trade_date, exec_id, exec_id AS first FROM ledger.execution WHERE exec_type = 'F'
  UNION ALL SELECT b.venue, b.trade_date, b.by_exec_id, t.first
    FROM told t JOIN ledger.trade_bust b USING (venue, trade_date, exec_id))
SELECT to_char(x.trade_date, 'YYYYMMDD'), t.first, x.order_id, x.user_id, x.quantity, x.price
FROM ledger.trade x JOIN told t USING (venue, trade_date, exec_id) WHERE {_AT_HOME}
"""
# What the gateway found when it compared open orders and trades itself; shard 0 alone has it.
_NOTED = """
SELECT kind, subject, session, ledger_says, venue_says FROM venue.difference
WHERE settled_at IS NULL ORDER BY kind, subject, session LIMIT 50
"""


#: An order of the venue that can still trade.
_OPEN: Final = frozenset({"NEW", "PARTIALLY_FILLED"})
#: Requests from here on are the gateway's own cancels (edge/gateway/mass_status.py).
_UNOWNED_REQUEST: Final = 1_000_000_000
#: State of a trade that the venue took back.
_BUSTED = "BUSTED"


class Order(NamedTuple):
    """An order as one side has it. `price`: its limit, in ten-thousandths of a rupee."""

    user_id: int
    symbol: str
    side: str
    quantity: int
    price: int
    filled: int
    status: str


class Fill(NamedTuple):
    """A trade as one side has it. `price` in ten-thousandths of a rupee."""

    order_id: int
    user_id: int
    quantity: int
    price: int


class Book(NamedTuple):
    """One side's orders by our number, and its fills by trade date (YYYYMMDD) and ExecID."""

    orders: dict[int, Order]
    fills: dict[tuple[str, str], Fill]
    problems: list[str]
    unowned: frozenset[int] = frozenset()
    """Of the venue's: orders that traded nothing and that the gateway had cancelled as not ours."""


def run(postgres_owner_urls: Sequence[str], exchange_url: str, streams_url: str) -> Report:
    """Compares every shard with the venue at `http://HOST:PORT`.

    Raises OSError when the venue, pg8000's errors when a shard, and Retryable when the
    streams can't be read.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        # The venue first: what it has by then may be booked by the time the ledger is read.
        venue, settled = read_venue(exchange_url), read_settled(postgres_owner_urls[0])
        for fill in settled.fills:
            venue.fills.pop(fill, None)
        report = compare(venue, read_ledger(postgres_owner_urls))
        report.problems += read_noted(postgres_owner_urls[0])
        aside = read_put_aside(streams_url, settled)
        report.problems += [
            f"put aside {item.name}: {item}, not booked" for item in aside if item.is_trade
        ][:_PROBLEMS_MOST]
        if report.ok or time.monotonic() > deadline:
            return report
        time.sleep(_LOOK_SECONDS)


def read_ledger(postgres_owner_urls: Sequence[str]) -> Book:
    """The ledger's side, of all shards."""
    orders: dict[int, Order] = {}
    fills: dict[tuple[str, str], Fill] = {}
    problems: list[str] = []
    for url in postgres_owner_urls:
        connection = connect(url)
        try:
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            orders |= {row[0]: Order(*row[1:]) for row in connection.run(_ORDERS)}
            found = {(row[0], row[1]): Fill(*row[2:]) for row in connection.run(_FILLS)}
            connection.run("ROLLBACK")
        finally:
            connection.close()
        # A shard refuses a second booking itself; no shard sees another's.
        twice = sorted(found.keys() & fills.keys())
        problems += [f"fill {exec_id} of {day}: booked on two shards" for day, exec_id in twice]
        fills |= found
    return Book(orders, fills, problems)


def read_noted(postgres_owner_url: str) -> list[str]:
    """What the gateway has noted and not yet found gone."""
    connection = connect(postgres_owner_url)
    try:
        rows = connection.run(_NOTED)
    finally:
        connection.close()
    return [
        f"{kind} {subject} on {session}: the ledger says {ours or 'nothing'}, the venue"
        f" {theirs or 'nothing'}"
        for kind, subject, session, ours, theirs in rows
    ]


def read_venue(exchange_url: str) -> Book:
    """The venue's side: what its loopback port tells of client orders."""
    orders: dict[int, Order] = {}
    fills: dict[tuple[str, str], Fill] = {}
    problems: list[str] = []
    unowned: set[int] = set()
    for row in _pages(exchange_url, "orders"):
        number, request = _order_number(row["cl_ord_id"])
        if not number:
            if row["status"] in _OPEN:
                problems.append(f"order {row['cl_ord_id']!r}: open at the venue, and not ours")
            continue
        if request >= _UNOWNED_REQUEST and not row["cum"]:
            unowned.add(number)
        order = Order(
            _account(row["account"]), row["symbol"], row["side"], row["quantity"], row["price"],
            row["cum"], _STATUS.get(row["status"], row["status"]),
        )  # fmt: skip
        if number in orders:
            problems.append(f"order {number}: the venue has it twice")
        orders[number] = order
    for row in _pages(exchange_url, "trades"):
        if row["state"] == _BUSTED:
            continue
        fills[row["trade_date"], row["exec_id"]] = Fill(
            _order_number(row["cl_ord_id"])[0],
            _account(row["account"]),
            row["quantity"],
            row["price"],
        )
    return Book(orders, fills, problems, frozenset(unowned))


def compare(venue: Book, ledger: Book) -> Report:
    """Every difference between the two, at most 50 lines of them."""
    report = Report()
    report.checked["orders"] = len(ledger.orders.keys() | venue.orders.keys())
    report.checked["fills"] = len(ledger.fills.keys() | venue.fills.keys())
    found = [*venue.problems, *ledger.problems]
    found += [*_order_differences(venue, ledger), *_fill_differences(venue, ledger)]
    report.problems = found[:_PROBLEMS_MOST]
    if len(found) > _PROBLEMS_MOST:
        report.problems.append(f"and {len(found) - _PROBLEMS_MOST} more")
    return report


def _order_differences(venue: Book, ledger: Book) -> Iterator[str]:
    for number in sorted(venue.orders.keys() | ledger.orders.keys()):
        theirs, ours = venue.orders.get(number), ledger.orders.get(number)
        if ours is None:
            if number not in venue.unowned:
                yield f"order {number}: the venue has it, the ledger does not"
        elif theirs is None:
            yield f"order {number}: {ours.status} in the ledger, unknown to the venue"
        else:
            wrong = [
                f"{name} {mine} in the ledger, {its} at the venue"
                for name, mine, its in zip(Order._fields, ours, theirs, strict=True)
                if mine != its
            ]
            if wrong:
                yield f"order {number}: {'; '.join(wrong)}"


def _fill_differences(venue: Book, ledger: Book) -> Iterator[str]:
    for day, exec_id in sorted(venue.fills.keys() | ledger.fills.keys()):
        theirs, ours = venue.fills.get((day, exec_id)), ledger.fills.get((day, exec_id))
        if ours is None:
            yield f"fill {exec_id} of {day}: not booked ({theirs})"
        elif theirs is None:
            yield f"fill {exec_id} of {day}: booked, unknown to the venue ({ours})"
        elif ours != theirs:
            yield f"fill {exec_id} of {day}: {ours} in the ledger, {theirs} at the venue"


def _pages(exchange_url: str, name: str) -> Iterator[dict[str, Any]]:
    if urlsplit(exchange_url).scheme != "http":
        raise ValueError(f"{exchange_url!r} is not the address of a venue's loopback port")
    after: int | None = 0
    while after is not None:
        address = f"{exchange_url.rstrip('/')}/{name}?after={after}"
        with urllib.request.urlopen(address, timeout=_HTTP_SECONDS) as answer:
            page = json.load(answer)
        yield from page[name]
        after = page["next"]


def _account(account: str) -> int:
    """Our user's number; 0 for an account that is none of ours."""
    return int(account) if account.isdecimal() else 0


def _order_number(cl_ord_id: str) -> tuple[int, int]:
    """Our order's number, and that of the later request behind the dash; zeros for a ClOrdID that
    is not ours."""
    number, _, request = cl_ord_id.partition("-")
    if not (number.isdecimal() and (request or "0").isdecimal()):
        return 0, 0
    return int(number), int(request or 0)
