"""The verifier finds nothing in sound books, and each kind of damage in broken ones.

Damage is planted as the superuser, past every trigger: what no role of ours can do, but a restored
backup, a bad disk or a person with the keys can.
"""

from collections.abc import Iterator

import pytest

from functions.shared.stores.postgres import Shards
from infra.command import verify_ledger
from infra.local.postgres import APPLICATION, OWNER
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases

USER = 7
"""Lives on shard 0."""


@pytest.fixture(scope="module")
def books(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    """Two traders with deposits, fills, a sale, a cancel, a change in flight and open orders."""
    with fresh_databases(postgres) as made:
        shards = Shards(made.urls(APPLICATION), "test")
        for user in (USER, USER + 40):
            trader = Trader(shards, user, LAKH)
            trader.own(10)
            trader.fill(trader.sell(4, 101), 4, 101)
            order = trader.buy(5)
            trader.fill(order, 2)
            trader.cancel(order)
            trader.told(order, "4", request=1)
            trader.buy(3)
            trader.modify(trader.buy(2), 4, 99)
            trader.sell(1)
        shards.close()
        yield made


def run(books: ShardsUnderTest) -> verify_ledger.Report:
    return verify_ledger.run(books.urls(OWNER))


def test_sound_books_have_no_problems_and_everything_was_looked_at(
    books: ShardsUnderTest,
) -> None:
    report = run(books)
    assert report.ok, report.text()
    empty = {name for name, count in report.checked.items() if count == 0}
    assert empty == {"parked reports"}


# (what is damaged, SQL, the check that must name it, words of its finding)
DAMAGE = {
    "an edited body": (
        ("UPDATE ledger.ledger_event SET body = replace(body, 'ACME', 'ACNE')"
        " WHERE user_id = 7 AND seq = 3"),
        "events", "user 7 seq 3: the hash does not fit",
    ),
    "an edited amount": (
        ("UPDATE ledger.ledger_event SET cash_change = cash_change + 1, cash = cash + 1"
        " WHERE user_id = 7 AND seq = 2"),
        "events", "user 7 seq 2: the hash does not fit",
    ),
    "an edited reference": (
        "UPDATE ledger.ledger_event SET ref = ref + 1 WHERE user_id = 7 AND seq = 4",
        "events", "user 7 seq 4: the hash does not fit",
    ),
    "an event taken out": (
        "DELETE FROM ledger.ledger_event WHERE user_id = 7 AND seq = 4",
        "events", "user 7 seq 5: seq 4 is missing before it",
    ),
    "a cut tail": (
        ("DELETE FROM ledger.ledger_event WHERE user_id = 7"
        " AND seq = (SELECT max(seq) FROM ledger.ledger_event WHERE user_id = 7)"),
        "accounts", "user 7: the account is at seq",
    ),
    "a whole log lost": (
        "DELETE FROM ledger.ledger_event WHERE user_id = 7",
        "accounts", "user 7: has no events",
    ),
    "an account lost": (
        "DELETE FROM ledger.account WHERE user_id = 7",
        "accounts", "user 7: has events but no account",
    ),
    "changed cash in the snapshot": (
        "UPDATE ledger.account SET cash = cash + 100 WHERE user_id = 7",
        "accounts", "user 7: cash is",
    ),
    "a changed hold in the snapshot": (
        "UPDATE ledger.account SET held = held - 1 WHERE user_id = 7",
        "accounts", "user 7: held is",
    ),
    "a changed head": (
        "UPDATE ledger.account SET head = sha256('x') WHERE user_id = 7",
        "accounts", "user 7: the head is not",
    ),
    "a missing posting": (
        "DELETE FROM ledger.posting WHERE user_id = 7 AND line = 4",
        "postings", "user 7 seq 4: INR postings sum to",
    ),
    "a whole set of postings lost": (
        "DELETE FROM ledger.posting WHERE user_id = 7 AND seq = 2",
        "cash postings", "user 7 seq 2: the event moves",
    ),
    "postings of no event": (
        ("INSERT INTO ledger.posting VALUES (7, 999, 1, 'client:holding', 'ACME', 5),"
        " (7, 999, 2, 'house:clearing', 'ACME', -5)"),
        "cash postings", "user 7 seq 999",
    ),
    "a doubled fill": (
        ("INSERT INTO ledger.execution SELECT venue, trade_date, exec_id || 'X', user_id, order_id,"
        " exec_type, quantity, price, value, charges, settles_on, seq, at FROM ledger.execution"
        " WHERE user_id = 7 AND exec_type = 'F'"),
        "order totals", "its executions",
    ),
    "a fill without its execution": (
        "DELETE FROM ledger.execution WHERE user_id = 7 AND exec_type = 'F'",
        "fills", "has 0 matching executions",
    ),
    "an execution without its fill": (
        "UPDATE ledger.execution SET seq = seq + 1 WHERE user_id = 7 AND exec_type = 'F'",
        "executions", "is booked by 0 events",
    ),
    "a fill at another price": (
        "UPDATE ledger.execution SET price = price + 500 WHERE user_id = 7 AND exec_type = 'F'",
        "execution values", "is not worth",
    ),
    "an order that says less was filled": (
        ("UPDATE ledger.orders SET filled_quantity = filled_quantity - 1"
        " WHERE user_id = 7 AND status = 'CANCELLED'"),
        "order totals", "filled 1 worth",
    ),
    "an order brought back to life": (
        "UPDATE ledger.orders SET status = 'OPEN' WHERE user_id = 7 AND status = 'CANCELLED'",
        "order events", "its last event says CANCELLED",
    ),
    "a holding from nowhere": (
        "INSERT INTO ledger.holding VALUES (7, 'GOLD', 5, 0, 0, 0)",
        "holdings", "user 7 GOLD: holds 5, its postings say 0",
    ),
    "a lot that grew": (
        "UPDATE ledger.holding_lot SET quantity = quantity + 1 WHERE user_id = 7",
        "lots", "user 7 ACME: holds",
    ),
    "an order whose hold nobody has": (
        ("UPDATE ledger.orders SET reserved = reserved * 2"
        " WHERE user_id = 7 AND side = 'BUY' AND status = 'PENDING'"),
        "holds", "user 7: holds",
    ),
    "a miscounted account": (
        "UPDATE ledger.account SET open_orders = open_orders + 1 WHERE user_id = 7",
        "holds", "its open orders and positions need",
    ),
    "shares that no open sell holds": (
        "UPDATE ledger.holding SET open_sell = open_sell + 1 WHERE user_id = 7",
        "open sells", "user 7 ACME: 2 shares in open sells",
    ),
    "a changed deposit": (
        "UPDATE ledger.deposit SET amount = amount * 2 WHERE user_id = 7",
        "deposits", "is not the DEPOSITED event",
    ),
    "a report that waits for a person": (
        "INSERT INTO ledger.parked_execution VALUES ('S', 1, 7, 1, 'WHY', '{}', now())",
        "parked reports", "S position 1 (user 7, order 1): WHY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_planted_damage_is_found_and_named(books: ShardsUnderTest, kind: str) -> None:
    sql, check, words = DAMAGE[kind]
    problems = _problems_of_damage(books, sql)
    found = [p for p in problems if p.startswith(f"shard 0, {check}: ") and words in p]
    assert found, problems


def _problems_of_damage(books: ShardsUnderTest, sql: str) -> list[str]:
    """What the checks find inside a transaction that is never committed."""
    connection = books.superuser(0)
    try:
        connection.run("BEGIN")
        connection.run("SET LOCAL session_replication_role = replica")  # past every trigger
        connection.run(sql)
        assert connection.row_count > 0, "the damage touched nothing"
        report = verify_ledger.Report()
        homes = dict.fromkeys(range(32), 0)
        verify_ledger.check_shard(connection, 0, report, homes)
        connection.run("ROLLBACK")
    finally:
        connection.close()
    return report.problems
