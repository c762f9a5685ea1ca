"""Every snapshot can be made again from the log alone, and a snapshot that differs is named."""

from collections.abc import Iterator

import pytest

from infra.command import rebuild_ledger
from infra.command.report import Report
from infra.local.postgres import OWNER
from tests.support.busy_books import BusyBooks, busy_books
from tests.support.postgres import PostgresUnderTest

HOMES_OF_SHARD_0 = dict.fromkeys(range(32), 0)


@pytest.fixture(scope="module")
def books(
    postgres: PostgresUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusyBooks]:
    with busy_books(postgres, tmp_path_factory.mktemp("books")) as made:
        yield made


def test_sound_books_are_made_again_without_a_difference(books: BusyBooks) -> None:
    report = rebuild_ledger.run(books.shards.urls(OWNER))
    assert report.ok, report.text()
    assert not {name for name, count in report.checked.items() if count == 0}


# (what is damaged, SQL, the difference that must be named)
DAMAGE = {
    "cash": (
        "UPDATE ledger.account SET cash = cash + 1 WHERE user_id = 7",
        "user 7 account: cash is",
    ),
    "a class of client": (
        "UPDATE ledger.account SET class = 'RETAIL' WHERE user_id = 7",
        "user 7 account: class is RETAIL, the log says TEST",
    ),
    "an unsettled amount": (
        "UPDATE ledger.account SET unsettled = unsettled + 1 WHERE user_id = 7",
        "user 7 account: unsettled is",
    ),
    "a settlement lost": (
        "DELETE FROM ledger.settlement_due WHERE user_id = 7",
        "user 7 settlement_due 2026-07-13: the log has it, the table does not",
    ),
    "a settlement from nowhere": (
        "INSERT INTO ledger.settlement_due VALUES (7, '2027-01-01', 5, 5, 5)",
        "user 7 settlement_due 2027-01-01: the table has it, the log does not",
    ),
    "what of a settlement is profit": (
        "UPDATE ledger.settlement_due SET intraday = intraday - 1 WHERE user_id = 19",
        "user 19 settlement_due 2026-07-14: intraday is",
    ),
    "a day's result": (
        "UPDATE ledger.intraday_result SET amount = amount + 1 WHERE user_id = 19",
        "user 19 intraday_result 2026-07-13: amount is",
    ),
    "what a delivery sale lacked": (
        "UPDATE ledger.position SET net = net - 1 WHERE user_id = 19 AND net < 0",
        "user 19 position ACME 2026-07-10: net is -5, the log says -4",
    ),
    "a holding": (
        "UPDATE ledger.holding SET quantity = quantity + 1 WHERE user_id = 7",
        "user 7 holding ACME: quantity is 9, the log says 8",
    ),
    "an open sell": (
        "UPDATE ledger.holding SET open_sell = 0 WHERE user_id = 7",
        "user 7 holding ACME: open_sell is 0, the log says 1",
    ),
    "a lot's cost": (
        "UPDATE ledger.holding_lot SET cost = cost + 1 WHERE user_id = 7 AND lot = 4",
        "user 7 holding_lot ACME 4: cost is 60001, the log says 60000",
    ),
    "a position's profit": (
        "UPDATE ledger.position SET realised = realised + 1 WHERE user_id = 11 AND net = 0",
        "realised is",
    ),
    "what a position's orders reserve": (
        "UPDATE ledger.position SET reserved_buy = 0 WHERE user_id = 9 AND reserved_buy > 0",
        "reserved_buy is 0",
    ),
    "a working order's price for the venue": (
        "UPDATE ledger.orders SET limit_price = 1 WHERE user_id = 7 AND quantity = 3",
        "limit_price is 1, the log says 1000000",
    ),
    "a partly filled order's charges": (
        (
            "UPDATE ledger.orders SET charges = ARRAY[1, 2, 3, 4, 5, 6, 7] WHERE user_id = 17"
            " AND status = 'PARTIALLY_FILLED'"
        ),
        "charges is [1, 2, 3, 4, 5, 6, 7], the log says [0, 10, 0, 0, 0, 2, 0]",
    ),
    "an order that works on in its row alone": (
        "UPDATE ledger.orders SET status = 'OPEN' WHERE user_id = 7 AND status = 'CANCELLED'",
        ": the table has it, the log does not",
    ),
    "an account of nobody": (
        "INSERT INTO ledger.holding VALUES (5, 'ACME', 1, 0, 0, 1)",
        "user 5: has rows but no log",
    ),
    "a log with a hole": (
        "DELETE FROM ledger.ledger_event WHERE user_id = 7 AND seq = 3",
        "user 7 seq 4: seq 3 is missing before it",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_snapshot_that_differs_from_its_log_is_named(books: BusyBooks, kind: str) -> None:
    sql, words = DAMAGE[kind]
    connection = books.shards.superuser(0)
    try:
        connection.run("BEGIN")
        connection.run("SET LOCAL session_replication_role = replica")
        connection.run(sql)
        assert connection.row_count > 0, "the damage touched nothing"
        report = Report()
        rebuild_ledger.rebuild_shard(connection, 0, report, HOMES_OF_SHARD_0)
        connection.run("ROLLBACK")
    finally:
        connection.close()
    assert any(words in problem for problem in report.problems), report.problems
    assert len(report.problems) <= 2, report.problems
