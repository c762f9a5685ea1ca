"""What the one connection to a shard promises when it breaks."""

import socket

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


def test_a_question_longer_than_one_write_is_not_held_back_for_an_acknowledgement(
    ledger_databases: ShardsUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        opened.append(create_connection(address, timeout))
        return opened[-1]

    create_connection = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", connect)
    database = Database(ledger_databases.urls(OWNER)[0], "test")
    long = "x" * 100_000
    assert database.run("SELECT :long::text", long=long) == [[long]]
    assert opened[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    database.close()
