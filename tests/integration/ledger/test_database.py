"""What the one connection to a shard promises when it breaks."""

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.postgres import Database
from infra.local.postgres import OWNER
from tests.support.postgres import ShardsUnderTest


def test_a_transaction_whose_connection_breaks_leaves_nothing_behind(
    ledger_databases: ShardsUnderTest,
) -> None:
    database = Database(ledger_databases.urls(OWNER)[0], "test")
    superuser = ledger_databases.superuser(0)

    def cut_off_half_way() -> None:
        with database.transaction():
            (process,) = database.run("SELECT pg_backend_pid()")[0]
            superuser.run("SELECT pg_terminate_backend(:p, 5000)", p=process)
            database.run("CREATE TABLE public.left_behind ()")

    with pytest.raises(Retryable):
        cut_off_half_way()
    assert database.run("SELECT to_regclass('public.left_behind')") == [[None]]
    database.close()
    superuser.close()


def test_a_statement_on_a_connection_that_broke_while_idle_is_asked_once_more(
    ledger_databases: ShardsUnderTest,
) -> None:
    database = Database(ledger_databases.urls(OWNER)[0], "test")
    superuser = ledger_databases.superuser(0)
    (process,) = database.run("SELECT pg_backend_pid()")[0]
    superuser.run("SELECT pg_terminate_backend(:p, 5000)", p=process)
    assert database.run("SELECT 1") == [[1]]
    database.close()
    superuser.close()
