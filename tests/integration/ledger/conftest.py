"""Shards that the ledger's tests share, each test with users of its own.

Whatever the tests did to them must stand up to the independent verifier when they are done.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest

from functions.shared.domain.accounts import AccountClass
from functions.shared.stores.postgres import Shards
from infra.command import verify_ledger
from infra.local.postgres import APPLICATION, OWNER
from tests.support.busy_books import BusyBooks, busy_books
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases

NewTrader = Callable[..., Trader]

# An odd step visits every slot, and so both shards.
_users = itertools.count(1, 37)


@pytest.fixture(scope="package")
def ledger_databases(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    with fresh_databases(postgres) as made:
        yield made
        report = verify_ledger.run(made.urls(OWNER))
        wrong = [problem for problem in report.problems if "parked reports" not in problem]
        assert not wrong, wrong


@pytest.fixture(scope="package")
def ledger(ledger_databases: ShardsUnderTest) -> Iterator[Shards]:
    """The shared shards, as the functions' role."""
    opened = Shards(ledger_databases.urls(APPLICATION), "test")
    yield opened
    opened.close()


@pytest.fixture
def new_trader(ledger: Shards) -> NewTrader:
    """Opens an account of a new user, funded with one lakh unless told otherwise."""

    def make(
        funds: int = LAKH, shards: Shards = ledger, account_class: AccountClass = AccountClass.TEST
    ) -> Trader:
        return Trader(shards, next(_users), funds, account_class)

    return make


@pytest.fixture(scope="package")
def books(
    postgres: PostgresUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusyBooks]:
    """Full books for tests that undo what they do to them."""
    with busy_books(postgres, tmp_path_factory.mktemp("books")) as made:
        yield made
