"""Appendix D of FIX 4.4 on a real PostgreSQL: told plainly, told twice, and killed at each message.

Each message is a FIX report that the gateway reads and the ledger applies. However it came through,
the order, the books and the log must be those of the plain run; `ledger verify` looks at them all
when the tests of this folder are done.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from edge.gateway import translate
from functions.shared.bookkeeping.applying import Applied
from functions.shared.domain.errors import Retryable
from functions.shared.domain.ids import slot_of_user
from functions.shared.domain.orders import AT_VENUE
from functions.shared.stores.postgres import Row, Shards
from functions.shared.wire.commands import client_order_tag
from functions.shared.wire.executions import ExecutionReport
from infra.local.postgres import APPLICATION
from tests.integration.ledger.conftest import NewTrader
from tests.support.appendix_d import SCENARIOS, Asked, Scenario, Told
from tests.support.ledger import ACME, Trader
from tests.support.postgres import ShardsUnderTest

_STATUSES = {
    "0": "OPEN", "1": "PARTIALLY_FILLED", "2": "FILLED", "4": "CANCELLED", "8": "REJECTED",
    "C": "EXPIRED",
}  # fmt: skip
"""OrdStatus(39) as ours; a pending one (6, E) hides what stands behind it."""

SIDES = {"BUY": "1", "SELL": "2"}

# All that a user has in the books, in the order of each table's first two columns.
_BOOKS = {
    "account": "seq, cash, held, borrowed, unsettled, blocked, open_orders",
    "holding": "symbol, quantity, open_sell, pledged, cost",
    "holding_lot": "lot, quantity, cost, settles_on",
    "trade_bust": "seq, trade_date",
    "lot_sale": "seq, lot, quantity, cost, proceeds",
    "position": "symbol, trade_date, net, open_value, realised",
    "settlement_due": "settles_on, unsettled, blocked, intraday",
    "posting": "seq, line, account, asset, amount",
    "execution": "seq, exec_type, quantity, price, value, charges",
    "orders": "placed_seq, status, quantity, filled_quantity, traded_value, charges, request,"
    " accepted_request, pending_change, reason_code, version",
    "ledger_event": "seq, kind, cash_change, held_change, body",
    "parked_execution": "why, report",
}
# What every change of an account moves: its log's end, and what has come in on the session.
_WHERE = (
    "SELECT a.seq, a.head, (SELECT count(*) FROM ledger.fix_applied) FROM ledger.account a"
    " WHERE a.user_id = :u"
)
# What differs between two accounts that lived through the same.
_OWN = re.compile(
    r'"(?:order_id|client_order_id|venue_order_id|exec_id|by_exec_id|fingerprint|change_key|exec_ref)"'
    r" ?: ?(?:\"[^\"]*\"|\d+|null)"
)


class Life(NamedTuple):
    """One order of one scenario, and all that the venue said of it."""

    trader: Trader
    order: int
    side: str
    reports: list[ExecutionReport]


class Delivery(NamedTuple):
    """How messages reach the ledger: each by `hand`, and all of them `again` at the end or not."""

    hand: Callable[[Trader, ExecutionReport], Applied]
    again: bool = False


def once(trader: Trader, report: ExecutionReport) -> Applied:
    return trader.apply(report)


def twice(trader: Trader, report: ExecutionReport) -> Applied:
    applied = trader.apply(report)
    assert trader.apply(report).outcome in {"DUPLICATE", "NOTHING"}
    return applied


@pytest.fixture
def killed(ledger_databases: ShardsUnderTest) -> Iterator[Delivery]:
    """The server process that applies a report dies before its commit; the report comes again."""
    doomed = Shards(ledger_databases.urls(APPLICATION), "doomed")
    admin = ledger_databases.superuser(0)

    def kill_first(trader: Trader, report: ExecutionReport) -> Applied:
        before = where(trader)
        database = doomed.database(doomed.home_of(slot_of_user(trader.user_id)))
        living, trader.shards = trader.shards, doomed
        with contextlib.suppress(Retryable), database.transaction():
            assert trader.apply(report).outcome != "PARKED"
            ((backend,),) = database.run("SELECT pg_backend_pid()")
            admin.run("SELECT pg_terminate_backend(:pid)", pid=backend)
            database.run("SELECT pg_sleep(60)")
            raise AssertionError("it lives on")
        trader.shards = living
        assert where(trader) == before
        return trader.apply(report)

    yield Delivery(kill_first)
    admin.close()
    doomed.close()


@pytest.fixture
def deliveries(killed: Delivery) -> dict[str, Delivery]:
    return {"plain": Delivery(once), "doubled": Delivery(twice, again=True), "killed": killed}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_scenario_ends_the_same_told_twice_and_killed_at_each_message(
    new_trader: NewTrader, deliveries: dict[str, Delivery], scenario: Scenario
) -> None:
    ended = {
        name: books(live(scenario, new_trader(), delivery).trader)
        for name, delivery in deliveries.items()
    }
    assert ended["doubled"] == ended["plain"]
    assert ended["killed"] == ended["plain"]


def live(scenario: Scenario, trader: Trader, delivery: Delivery) -> Life:
    """Plays a scenario; after every report our order must stand as the venue's does."""
    if scenario.side == "SELL":
        trader.own(100, 90)
    order = trader.buy(100) if scenario.side == "BUY" else trader.sell(100)
    life = Life(trader, order, scenario.side, [])
    names: dict[str, str] = {}
    for step in scenario.steps:
        if isinstance(step, Asked):
            ask(life, step)
            continue
        report = read(life, step, names)
        if report is not None:
            life.reports.append(report)
            assert delivery.hand(trader, report).outcome != "PARKED"
            compare(life, step)
    for report in life.reports if delivery.again else ():
        assert trader.apply(report).outcome in {"DUPLICATE", "NOTHING"}
    found = trader.order(order)
    assert (found.status, found.quantity, found.filled_quantity) == scenario.ends
    assert (found.pending_change, trader.funds().held) == (None, 0)
    return life


def ask(life: Life, asked: Asked) -> None:
    if asked.what == "CANCEL":
        life.trader.cancel(life.order)
    else:
        assert life.trader.modify(life.order, asked.quantity, asked.rupees).rules == []


def read(life: Life, told: Told, names: dict[str, str]) -> ExecutionReport | None:
    """The message as the gateway reads it; None for one that is nothing for the ledger."""
    fields = message(life, told, names)
    unsaid = (
        translate.says_nothing_new, translate.is_duplicate_reject, translate.is_unknown_order,
    )  # fmt: skip
    if any(says(fields) for says in unsaid):
        return None
    return translate.execution_of("OUTCRY-O1", fields)


def message(life: Life, told: Told, names: dict[str, str]) -> dict[int, str]:
    """FIX tags of a report, as the venue sends them (infra/fix)."""
    stamp = life.trader.report(life.order, told.exec_type)
    names[told.name] = stamp.exec_id
    fields = {
        35: "8", 34: str(stamp.position), 11: client_order_tag(life.order, told.of),
        1: str(life.trader.user_id), 37: f"V{life.order}", 17: stamp.exec_id,
        150: told.exec_type, 39: told.status, 55: ACME.symbol, 54: SIDES[life.side], 40: "2",
        59: "0", 38: str(told.quantity), 44: "100.00", 14: str(told.cum), 151: str(told.leaves),
        6: "100", 32: str(told.last), 31: f"{told.rupees}.00", 75: f"{life.trader.today:%Y%m%d}",
        60: f"{life.trader.now:%Y%m%d-%H:%M:%S}.000",
    }  # fmt: skip
    if told.about:
        fields[19] = names[told.about]
    if told.code is not None:
        fields[103] = str(told.code)
    if told.exec_type == "9":
        fields |= {35: "9", 434: "1", 102: str(told.code)}
    if told.exec_type == "9" and told.status == "8":
        fields[37] = "NONE"  # the venue doesn't know the order
    return fields


def compare(life: Life, told: Told) -> None:
    """Our order beside what the venue just said of it. A refused change tells no quantities."""
    order = life.trader.order(life.order)
    if told.exec_type == "9":
        return
    assert order.filled_quantity == told.cum
    if told.status in _STATUSES:
        assert order.status == (told.ours or _STATUSES[told.status])
    if order.status in AT_VENUE and not told.ours:
        assert order.quantity - order.filled_quantity == told.leaves


def where(trader: Trader) -> list[Row]:
    return trader.database().run(_WHERE, u=trader.user_id)


def books(trader: Trader) -> dict[str, list[Row]]:
    """Everything of the account, without the numbers that are its own."""
    database = trader.database()
    return {
        table: [
            [_OWN.sub("", column) if isinstance(column, str) else column for column in row]
            for row in database.run(
                f"SELECT {columns} FROM ledger.{table} WHERE user_id = :u ORDER BY 1, 2",
                u=trader.user_id,
            )
        ]
        for table, columns in _BOOKS.items()
    }
