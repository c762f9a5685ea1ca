"""`python -m infra.local.clickhouse`: ClickHouse's engine in a process of its own, which alone
touches its folder; the others ask it (functions/shared/stores/clickhouse.py).

Invariant: it listens on the loopback alone, answers who shows the token, and works one question at
a time. The engine, 300 MB of memory, is loaded with the first question. It is no part of what
`make run` installs (180 MB): `make setup CLICKHOUSE=yes` adds it, and without it there is no such
part.
"""

import hmac
import http.client
import importlib.util
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import msgspec

from functions.shared.settings import Settings, SettingsError, split_address
from functions.shared.stores.clickhouse import BODY_MOST, Question
from infra.local.home import Home

#: Long enough for a day's curves, far less than it takes for a caller to be forgotten.
_REQUEST_SECONDS: Final = 30
#: What a stack without it says.
NOT_INSTALLED: Final = "not kept: `make setup CLICKHOUSE=yes` installs what keeps them (180 MB)"
_question = msgspec.json.Decoder(Question)


class ClickHouseSettings(Settings, frozen=True, kw_only=True):
    """`clickhouse_state`: the engine's folder, with the callers' token in its file `token`."""

    listen: str
    clickhouse_state: str


class EngineRefused(Exception):
    """ClickHouse did not do what was asked; the message is its own."""


class Engine:
    """One connection to the folder, opened by the first question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: Any = None
        self._lock = threading.Lock()

    def answer(self, question: Question) -> bytes:
        """JSONCompact; empty for a statement without an answer. Raises EngineRefused."""
        import chdb

        with self._lock:
            try:
                if self._connection is None:
                    self._connection = chdb.connect(str(self._folder))
                    self._connection.query("SET output_format_json_quote_64bit_integers = 0")
                if question.table:
                    self._connection.query(_insert(question))
                    return b""
                parameters = dict(question.parameters)
                answer = self._connection.query(question.query, "JSONCompact", params=parameters)
            except chdb.ChdbError as error:
                raise EngineRefused(str(error)) from error
            return bytes(answer.bytes() or b"")

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()


def _insert(question: Question) -> str:
    """Rows are data behind the statement, never read as a part of it."""
    names = [question.table, *question.columns]
    if not all(name.isidentifier() for name in names):
        raise EngineRefused("a table's or column's name is none")
    rows = b"\n".join(msgspec.json.encode(row) for row in question.rows).decode()
    columns = ", ".join(question.columns)
    return f"INSERT INTO {question.table} ({columns}) FORMAT JSONCompactEachRow {rows}"


class Server(ThreadingHTTPServer):
    """Serves from `serve_forever` on until `shutdown`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine: Engine, token: str) -> None:
        super().__init__(address, _Handler)
        self.engine, self.token = engine, token


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_SECONDS
    server: Server

    def do_GET(self) -> None:
        """/health, which loads nothing."""
        self._say(http.client.OK if self.path == "/health" else http.client.NOT_FOUND, b"")

    def do_POST(self) -> None:
        told = self.headers.get("Authorization", "")
        length = self.headers.get("Content-Length", "")
        if not hmac.compare_digest(told.encode(), f"Bearer {self.server.token}".encode()):
            self._say(http.client.UNAUTHORIZED, b"show the token")
        elif not length.isdigit() or int(length) > BODY_MOST:
            self._say(http.client.REQUEST_ENTITY_TOO_LARGE, b"Content-Length is missing or large")
        else:
            self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        try:
            answer = self.server.engine.answer(_question.decode(body))
        except (msgspec.MsgspecError, EngineRefused) as error:
            self._say(http.client.BAD_REQUEST, str(error).encode())
        else:
            self._say(http.client.OK, answer)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Silent: the supervisor asks every second."""


def make_folder(home: Home, folder: Path) -> None:
    """The engine's folder, with the token that its callers show."""
    folder.mkdir(mode=0o700, exist_ok=True)
    home.write(folder / "token", home.password("clickhouse").encode())


def is_installed() -> bool:
    """Whether the engine is there to be loaded."""
    return importlib.util.find_spec("chdb") is not None


def main() -> int:
    """The process's exit code: 0 stopped, 2 wrong settings."""
    try:
        settings = ClickHouseSettings.from_environment()
        address = split_address(settings.listen)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    folder = Path(settings.clickhouse_state)
    engine = Engine(folder / "data")
    server = Server(address, engine, (folder / "token").read_text())
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # in every thread, the engine's too
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait(stop)
    server.shutdown()
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
