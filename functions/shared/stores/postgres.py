"""PostgreSQL: the shards, and one prepared statement per question.

Invariant: a statement is one round trip (BIND, EXECUTE and SYNC in one message, no BEGIN), and a
connection whose state is unknown is thrown away, never used again. The outcome of a statement cut
off by the network is unknown; the caller asks again with the same key.
"""

import contextlib
import ssl
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from functions.shared.domain.errors import InvariantViolated, NotFound, Retryable
from functions.shared.domain.ids import shard_of_slot, slot_of_order, slot_of_user

Row = list[Any]

# A statement that waits longer than these answers 503 instead of piling up behind a hot account.
LOCK_TIMEOUT_MS = 500
STATEMENT_TIMEOUT_MS = 2_000
SOCKET_TIMEOUT_SECONDS = 5.0

_RETRYABLE = frozenset({"55P03", "57014", "40001", "40P01", "53300", "57P01", "57P02", "57P03"})
_NO_SUCH_ACCOUNT = "OC404"


class Database:
    """One connection to one shard, opened when first used and again after it broke.

    Not for use by two threads at once: each thread has its own.
    """

    def __init__(
        self,
        url: str,
        application: str,
        *,
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
        statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "postgresql" or not parts.hostname or not parts.username:
            raise ValueError("a shard's address is postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        self._where = {
            "host": parts.hostname,
            "port": parts.port or 5432,
            "database": parts.path.lstrip("/"),
            "user": unquote(parts.username),
            "password": unquote(parts.password or ""),
            "application_name": application,
            "timeout": SOCKET_TIMEOUT_SECONDS,
            "ssl_context": ssl.create_default_context()
            if "sslmode=require" in parts.query
            else None,
            "startup_params": {
                "lock_timeout": str(lock_timeout_ms),
                "statement_timeout": str(statement_timeout_ms),
                "idle_in_transaction_session_timeout": "2000",
                "TimeZone": "UTC",
            },
        }
        self._connection: pg8000.native.Connection | None = None
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._in_transaction = False

    def run(self, sql: str, **parameters: object) -> list[Row]:
        """The rows of one prepared statement, in one round trip. `:name` marks a parameter.

        A connection that turns out to be broken is replaced and the statement sent once more:
        every statement of ours can be asked twice. Raises Retryable when the server is away or a
        timeout struck, NotFound for an account that doesn't exist, InvariantViolated for anything
        the database holds to be impossible.
        """
        stale = self._connection is not None and not self._in_transaction
        try:
            return self._run(sql, parameters)
        except Retryable:
            if not stale or self._connection is not None:
                raise
        return self._run(sql, parameters)

    def _run(self, sql: str, parameters: dict[str, object]) -> list[Row]:
        try:
            statement = self._prepared.get(sql)
            if statement is None:
                statement = self._prepared[sql] = self._open().prepare(sql)
            rows: list[Row] = statement.run(**parameters) or []
        except DatabaseError as error:
            raise self._translate(error) from error
        except (InterfaceError, OSError, TimeoutError) as error:
            self.close()
            raise Retryable(f"the ledger's database did not answer: {error}") from error
        return rows

    @contextlib.contextmanager
    def transaction(self) -> Iterator["Database"]:
        """Several statements that stand or fall together. Not for the hot paths."""
        self._simple("BEGIN")
        self._in_transaction = True  # no statement of it may go out alone on a new connection
        try:
            yield self
        except BaseException:
            with contextlib.suppress(
                Retryable
            ):  # the connection is gone, and so is its transaction
                self._simple("ROLLBACK")
            raise
        finally:
            self._in_transaction = False
        self._simple("COMMIT")

    def close(self) -> None:
        """Closes the connection; the next statement opens another."""
        connection, self._connection = self._connection, None
        self._prepared.clear()
        if connection is not None:
            with contextlib.suppress(InterfaceError, OSError):  # it may be broken already
                connection.close()

    def _simple(self, sql: str) -> None:
        try:
            self._open().run(sql)
        except DatabaseError as error:
            raise self._translate(error) from error
        except (InterfaceError, OSError) as error:
            self.close()
            raise Retryable(f"the ledger's database did not answer: {error}") from error

    def _open(self) -> pg8000.native.Connection:
        if self._connection is None:
            self._connection = pg8000.native.Connection(**self._where)
        return self._connection

    def _translate(self, error: DatabaseError) -> Exception:
        detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code, message = str(detail.get("C", "")), str(detail.get("M", error))
        if code in _RETRYABLE or code.startswith("08"):
            if not code.startswith(("55", "40")) and code != "57014":
                self.close()
            return Retryable(f"the ledger is busy: {message}")
        if code == _NO_SUCH_ACCOUNT:
            return NotFound(message)
        return InvariantViolated(f"{code}: {message}", sqlstate=code)


class Shards:
    """Every shard, shard 0 first; a user's or an order's rows are all in one of them."""

    def __init__(self, urls: Sequence[str], application: str) -> None:
        self.databases = tuple(Database(url, application) for url in urls)

    def __len__(self) -> int:
        return len(self.databases)

    @property
    def control(self) -> Database:
        """Shard 0, which also holds identities and the instrument master."""
        return self.databases[0]

    def of_user(self, user_id: int) -> Database:
        return self.databases[shard_of_slot(slot_of_user(user_id), len(self.databases))]

    def of_order(self, order_id: int) -> Database:
        return self.databases[shard_of_slot(slot_of_order(order_id), len(self.databases))]

    def close(self) -> None:
        for database in self.databases:
            database.close()
