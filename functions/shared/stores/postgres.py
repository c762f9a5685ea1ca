"""PostgreSQL: the shards, where each user is at home, and one prepared statement per question.

Invariant: a statement is one round trip (BIND, EXECUTE and SYNC in one message, no BEGIN), and a
connection whose state is unknown is thrown away, never used again. The outcome of a statement cut
off by the network is unknown; the caller asks again with the same key. A user's slot may move to
another shard at any time: the shard that is asked says whether it is the slot's home, in the
statement's own snapshot, and the directory kept here is only a guess at whom to ask.
"""

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from functions.shared.domain.errors import Fenced, InvariantViolated, NotFound, Retryable
from functions.shared.domain.ids import slot_of_order, slot_of_user

Row = list[Any]

# A statement that waits longer than these answers 503 instead of piling up behind a hot account.
LOCK_TIMEOUT_MS = 500
STATEMENT_TIMEOUT_MS = 2_000
SOCKET_TIMEOUT_SECONDS = 5.0
# A question about a user whose slot is on its way is asked for that long, then it is Retryable.
MOVE_PATIENCE_SECONDS = 0.5
_MOVE_LOOK_SECONDS = 0.01
# A shard that was added is known to a running process after that long.
_NEW_SHARD_SECONDS = 1.0

_RETRYABLE = frozenset({"55P03", "57014", "40001", "40P01", "53300", "57P01", "57P02", "57P03"})
_NO_SUCH_ACCOUNT = "OC404"
_NOT_AT_HOME = "OC421"
_FENCED = "OC423"
_ANSWERED_BEFORE = "OC208"


class SlotAway(Retryable):
    """The shard asked is not, or not now, the home of the user's slot; nothing was done."""


class AnsweredBefore(InvariantViolated):
    """A key that had to be new was used before; nothing was done."""


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
        self._address = (parts.hostname, parts.port or 5432)
        self._login = {
            "host": parts.hostname,  # that a certificate is checked against
            "database": parts.path.lstrip("/"),
            "user": unquote(parts.username),
            "password": unquote(parts.password or ""),
            "application_name": application,
            "ssl_context": tls_of(parts),
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
        timeout struck, NotFound for an account that doesn't exist, Fenced for a write under a lease
        that another process took, InvariantViolated for anything
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
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> pg8000.native.Connection:
        """A question may be longer than what the driver sends at once; its last part must not wait
        for the first one's acknowledgement, which comes 40 ms later."""
        with contextlib.ExitStack() as broken:
            sock = broken.enter_context(
                socket.create_connection(self._address, SOCKET_TIMEOUT_SECONDS)
            )
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = pg8000.native.Connection(sock=sock, **self._login)
            broken.pop_all()
        return connection

    def _translate(self, error: DatabaseError) -> Exception:
        detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code, message = str(detail.get("C", "")), str(detail.get("M", error))
        if code in _RETRYABLE or code.startswith("08"):
            if not code.startswith(("55", "40")) and code != "57014":
                self.close()
            return Retryable(f"the ledger is busy: {message}")
        if code == _NOT_AT_HOME:
            return SlotAway(message)
        if code == _FENCED:
            return Fenced(message)
        if code == _NO_SUCH_ACCOUNT:
            return NotFound(message)
        if code == _ANSWERED_BEFORE:
            return AnsweredBefore(message, sqlstate=code)
        return InvariantViolated(f"{code}: {message}", sqlstate=code)


class Shards:
    """Every shard, shard 0 first; a user's or an order's rows are all in one of them.

    `urls` are the shards known at start. Shard 0's directory says where each slot is at home and
    how a shard added later is reached, with the role and password of `urls`. Not for use by two
    threads at once.
    """

    def __init__(self, urls: Sequence[str], application: str) -> None:
        self._application = application
        self._login = _login_of(urls[0])
        self._databases = [Database(url, application) for url in urls]
        self._homes: dict[int, int] = {}
        self._listed_at = float("-inf")

    def __len__(self) -> int:
        return len(self._databases)

    @property
    def control(self) -> Database:
        """Shard 0, which also holds identities, the instrument master and the directory."""
        return self._databases[0]

    @property
    def databases(self) -> tuple[Database, ...]:
        """Every shard by its number, those added since the start too. Raises Retryable.

        What is asked of a shard here is asked of that shard: a slot that has left it is refused
        (SlotAway) by whatever writes, and rows of it that are read are an archive.
        """
        if time.monotonic() - self._listed_at >= _NEW_SHARD_SECONDS:
            self._learn_shards()
        return tuple(self._databases)

    def of_user(self, user_id: int) -> "SlotHome":
        """Where the user's rows are."""
        return SlotHome(self, slot_of_user(user_id))

    def of_order(self, order_id: int) -> "SlotHome":
        """Where the rows of the order's user are."""
        return SlotHome(self, slot_of_order(order_id))

    def number_of_user(self, user_id: int) -> int:
        """The shard that the user was last known to be at home on; a hint. Raises Retryable."""
        return self.home_of(slot_of_user(user_id))

    def home_of(self, slot: int, *, again: bool = False) -> int:
        """The number of the slot's shard by the directory as last read, or as it is now (`again`).

        Raises Retryable when shard 0 can't answer, InvariantViolated for a slot without a home.
        """
        if again or not self._homes:
            rows = self.control.run("SELECT slot, shard FROM ledger.slot_home")
            self._homes = {int(row[0]): int(row[1]) for row in rows}
        if slot not in self._homes:
            raise InvariantViolated(f"the directory has no home for slot {slot}")
        return self._homes[slot]

    def database(self, number: int) -> Database:
        """The shard of that number. Raises Retryable, and InvariantViolated when there is none."""
        if number >= len(self._databases):
            self._learn_shards()
        if number >= len(self._databases):
            raise InvariantViolated(f"shard {number} has no address in the directory")
        return self._databases[number]

    def close(self) -> None:
        for database in self._databases:
            database.close()

    def _learn_shards(self) -> None:
        known = len(self._databases)
        rows = self.control.run(
            "SELECT shard, address FROM ledger.shard WHERE shard >= :known::smallint"
            " ORDER BY shard",
            known=known,
        )
        self._listed_at = time.monotonic()
        for number, (shard, address) in enumerate(rows, start=known):
            if shard != number:
                raise InvariantViolated(f"shard {number} has no address in the directory")
            self._databases.append(Database(f"{self._login}@{address}", self._application))


@dataclass(frozen=True, slots=True)
class SlotHome:
    """The shard that a slot is at home on, whichever that is by the time it is asked."""

    shards: Shards
    slot: int

    def run(self, sql: str, **parameters: object) -> list[Row]:
        """The rows of one SELECT about a user of the slot, answered by the slot's home alone.

        Raises as Database.run does; SlotAway, which is Retryable, when the slot moves for longer
        than MOVE_PATIENCE_SECONDS.
        """
        return self._ask(_guarded(sql), {**parameters, "home_slot": self.slot})

    def call(self, sql: str, **parameters: object) -> list[Row]:
        """As `run`, for a function of the ledger that itself looks whether the slot is at home."""
        return self._ask(sql, parameters)

    def _ask(self, sql: str, parameters: dict[str, object]) -> list[Row]:
        number = self.shards.home_of(self.slot)
        patience = MOVE_PATIENCE_SECONDS
        while True:
            try:
                return self.shards.database(number).run(sql, **parameters)
            except SlotAway:
                if patience <= 0:
                    raise
            asked, number = number, self.shards.home_of(self.slot, again=True)
            if number == asked:  # on its way: neither its old nor its new home answers yet
                time.sleep(_MOVE_LOOK_SECONDS)
                patience -= _MOVE_LOOK_SECONDS


@lru_cache(maxsize=512)
def _guarded(sql: str) -> str:
    """The question, answered only where the slot is at home. The guard names no row, so PostgreSQL
    evaluates it once and first, also when there are no rows."""
    return f"SELECT answer.* FROM (\n{sql}\n) AS answer WHERE ledger.at_home(:home_slot)"


def tls_of(parts: SplitResult) -> ssl.SSLContext | Literal[False] | None:
    """How a shard's address wants to be spoken to, in the driver's words: with its certificate
    checked where the address says `sslmode=require`; in the clear on this machine itself, where
    loading the known authorities takes longer than all else of a connection; elsewhere encrypted
    if the server can."""
    if "sslmode=require" in parts.query:
        return ssl.create_default_context()
    return False if _is_loopback(parts.hostname or "") else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _login_of(url: str) -> str:
    """What of a shard's address is the same for every shard: `postgresql://USER:PASSWORD`."""
    return url.rpartition("@")[0]
