"""The trial balance of a shard's day: it sums to zero, and is what the postings say."""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from functions.shared.stores.postgres import Shards
from infra.command import trial_balance
from infra.command.trial_balance import ShardBalance
from infra.local.postgres import OWNER
from tests.support.busy_books import BusyBooks, anchor_everything, busy_books
from tests.support.ledger import LAKH, RUPEE, TODAY, Trader
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest

DAYS = [TODAY + timedelta(days=days) for days in range(-1, 12)]


@pytest.fixture(scope="module")
def books(
    postgres: PostgresUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusyBooks]:
    with busy_books(postgres, tmp_path_factory.mktemp("books")) as made:
        yield made


def balances(shards: ShardsUnderTest, day: date | None = None) -> list[ShardBalance]:
    return trial_balance.read_balances(shards.urls(OWNER), day)


def closing(balance: ShardBalance) -> dict[tuple[str, str], int]:
    return {(line.account, line.asset): line.closing for line in balance.lines if line.closing}


def test_every_day_of_every_shard_sums_to_zero(books: BusyBooks) -> None:
    for day in DAYS:
        for balance in balances(books.shards, day):
            assert balance.unbalanced() == []
            assert all(
                line.opening + line.debits - line.credits == line.closing for line in balance.lines
            )


def test_a_day_opens_with_what_the_day_before_closed_with(books: BusyBooks) -> None:
    for before, after in itertools.pairwise(DAYS):
        for one, other in zip(
            balances(books.shards, before), balances(books.shards, after), strict=True
        ):
            opening = {(line.account, line.asset): line.opening for line in other.lines}
            assert {key: amount for key, amount in opening.items() if amount} == closing(one)


def test_the_latest_day_closes_with_the_sum_of_all_postings(books: BusyBooks) -> None:
    for shard, balance in enumerate(balances(books.shards)):
        superuser = books.shards.superuser(shard)
        rows = superuser.run(
            "SELECT account, asset, sum(amount)::bigint FROM ledger.posting GROUP BY 1, 2"
            " HAVING sum(amount) <> 0"
        )
        superuser.close()
        assert closing(balance) == {(account, asset): -amount for account, asset, amount in rows}


def test_what_no_anchor_covers_yet_is_in_the_balance(
    shards: Shards, databases: ShardsUnderTest, tmp_path: Path
) -> None:
    """The same balance before an anchor folds the postings and after it."""
    trader = Trader(shards, 1, LAKH)
    anchor_everything(shards, tmp_path)
    trader.deposit(5 * RUPEE)
    before = balances(databases)
    assert closing(before[0]) == {
        ("client:cash", "INR"): -LAKH - 5 * RUPEE,
        ("house:bank", "INR"): LAKH + 5 * RUPEE,
    }
    anchor_everything(shards, tmp_path)
    assert balances(databases) == before


def test_a_posting_without_its_other_side_is_said_out_loud(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    Trader(shards, 1, LAKH)
    superuser = databases.superuser(0)
    superuser.run("SET session_replication_role = replica")
    superuser.run("DELETE FROM ledger.posting WHERE account = 'house:bank'")
    superuser.close()
    [balance, _] = balances(databases)
    assert balance.unbalanced() == [
        "INR moved is -10000000, not 0", "INR closing is -10000000, not 0",
    ]  # fmt: skip
    assert "INR closing is -10000000, not 0" in trial_balance.text([balance])


def test_money_owed_to_a_client_is_a_credit_and_money_in_the_bank_a_debit(
    shards: Shards, databases: ShardsUnderTest
) -> None:
    Trader(shards, 1, LAKH)
    shown = trial_balance.text(balances(databases)[:1]).splitlines()
    assert shown[0] == f"shard 0, {TODAY}"
    assert shown[2].split() == ["client:cash", "0.00", "0.00", "100,000.00", "-100,000.00"]
    assert shown[3].split() == ["house:bank", "0.00", "100,000.00", "0.00", "100,000.00"]
    assert shown[-1] == "every asset sums to zero"


def test_a_ledger_of_nobody_has_no_balance(databases: ShardsUnderTest) -> None:
    assert balances(databases) == []
    assert trial_balance.text([]) == "nothing was posted yet"
    assert [balance.lines for balance in balances(databases, TODAY)] == [[], []]
