"""ClickHouse, wherever it is: a server of the user's own, or the engine that one part of the stack
has in its process and that the others ask over the loopback.

Invariant: both take the same statements with the same named parameters, `{name:Type}` in the text,
never pasted into it. Every failure leaves as Retryable: what is kept here is nobody's money, and
whoever needs it has an answer for the time without.
"""

import contextlib
import http.client
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from functions.shared.domain.errors import Retryable
from functions.shared.settings import SettingsError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CONNECT_SECONDS: Final = 2
#: Also how long a process that stops may wait for a write under way.
ANSWER_SECONDS: Final = 20
#: What the embedded engine takes and gives at once.
BODY_MOST: Final = 16 * 1024 * 1024
ANSWER_MOST: Final = 64 * 1024 * 1024

Parameters = Mapping[str, str | int]


class ClickHouse(Protocol):
    """Safe for threads; connects when first asked. Everything raises Retryable."""

    def run(self, statement: str) -> None:
        """A statement without an answer, that may be run again."""

    def ask(self, query: str, parameters: Parameters) -> Sequence[Sequence[Any]]:
        """The rows."""

    def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]
    ) -> None:
        """All of the rows or none of them; asked again, a table that replaces keeps one of each."""

    def close(self) -> None:
        """Lets go of the connection."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the embedded engine is asked: a query with its parameters, or rows for a table."""

    query: str = ""
    parameters: Mapping[str, str | int] = {}
    table: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str | int]] = ()


class Rows(msgspec.Struct, frozen=True):
    """ClickHouse's format JSONCompact, as far as it is of interest."""

    data: list[list[Any]] = []


_rows = msgspec.json.Decoder(Rows)


class EmbeddedClickHouse:
    """The part `clickhouse` of a local stack, at `embedded://:TOKEN@HOST:PORT`."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port = host, port
        self._headers = {"Authorization": f"Bearer {token}", "Connection": "close"}

    def run(self, statement: str) -> None:
        self._post(Question(query=statement))

    def ask(self, query: str, parameters: Parameters) -> Sequence[Sequence[Any]]:
        return self._post(Question(query=query, parameters=parameters)).data

    def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]
    ) -> None:
        self._post(Question(table=table, columns=columns, rows=rows))

    def close(self) -> None:
        """Each question has a connection of its own."""

    def _post(self, question: Question) -> Rows:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", "/", msgspec.json.encode(question), self._headers)
            answer = connection.getresponse()
            data = answer.read(ANSWER_MOST)
        except (OSError, http.client.HTTPException) as error:
            raise Retryable(f"ClickHouse did not answer: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            told = data[:200].decode(errors="replace")
            raise Retryable(f"ClickHouse answered {answer.status}: {told}")
        try:
            return _rows.decode(data) if data else Rows()
        except msgspec.MsgspecError as error:
            raise Retryable(f"ClickHouse's answer can't be read: {error}") from error


class ClickHouseServer:
    """A server's HTTP interface, at `http://USER:PASSWORD@HOST:PORT/DATABASE` or https."""

    def __init__(self, address: Mapping[str, Any], database: str) -> None:
        self._address, self._database = address, database
        self._client: Client | None = None
        self._lock = threading.Lock()

    def run(self, statement: str) -> None:
        with _answering():
            self._open().command(statement)

    def ask(self, query: str, parameters: Parameters) -> Sequence[Sequence[Any]]:
        with _answering():
            return self._open().query(query, parameters=dict(parameters)).result_rows

    def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]]
    ) -> None:
        with _answering():
            self._open().insert(table, rows, column_names=columns)

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> "Client":
        import clickhouse_connect  # takes longer than a handler; whoever never asks is spared it

        with self._lock:
            if self._client is None:
                client = clickhouse_connect.get_client(
                    **self._address,
                    connect_timeout=CONNECT_SECONDS,
                    send_receive_timeout=ANSWER_SECONDS,
                    autogenerate_session_id=False,  # a session is one thread's at a time
                )
                client.command(f"CREATE DATABASE IF NOT EXISTS `{self._database}`")
                client.database = self._database
                self._client = client
            return self._client


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turns a failure of the driver inside the block into Retryable."""
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except (Error, OSError) as error:
        raise Retryable(f"ClickHouse did not answer: {str(error)[:200]}") from error


def open_clickhouse(url: str) -> ClickHouse:
    """The ClickHouse at OUTCRY_CLICKHOUSE_URL. Raises SettingsError when it is malformed."""
    parts = urlsplit(url)
    database = parts.path.strip("/") or "default"
    if parts.hostname and parts.port and database.isidentifier():
        if parts.scheme == "embedded":
            return EmbeddedClickHouse(parts.hostname, parts.port, parts.password or "")
        if parts.scheme in {"http", "https"}:
            address = {
                "interface": parts.scheme,
                "host": parts.hostname,
                "port": parts.port,
                "username": unquote(parts.username or "default"),
                "password": unquote(parts.password or ""),
            }
            return ClickHouseServer(address, database)
    raise SettingsError(
        "OUTCRY_CLICKHOUSE_URL: neither http://USER:PASSWORD@HOST:PORT/DATABASE nor"
        " embedded://:TOKEN@HOST:PORT"
    )
