"""The whole stack as a person starts, looks at, kills and stops it."""

import json
import os
import pty
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from infra.local.clickhouse import is_installed
from tests.support.eventually import WAIT_SECONDS
from tests.support.gone import wait_gone
from tests.support.stack import Stack, own_stack
from tests.support.trader import eventually

PARTS = {
    *("postgres", "valkey", "streams", "mail", "exchange", "bank"),
    *("ingest", "gateway", "relay", "fanout", "triggers", "ledger", "surveillance", "api"),
    *(["clickhouse"] if is_installed() else ()),
}
QUIT = b"\x11"  # ctrl+q
INTERRUPT = b"\x03"  # ctrl+c
ALTERNATE_SCREEN = b"\x1b[?1049h"
# Beside the others that break a stack of their own: one of them at a time.
ALONE = pytest.mark.xdist_group("broken stacks")


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack that the tests of this module stop, kill and start again."""
    with own_stack() as started:
        yield started


def gone(processes: list[psutil.Process], seconds: float = WAIT_SECONDS) -> bool:
    """Whether every one of them ends in time."""
    return wait_gone(processes, seconds)


def test_status_names_every_part_with_a_process_of_its_own(stack: Stack) -> None:
    told = eventually(
        stack.status, lambda now: all(p["state"] == "ready" for p in now["parts"]), WAIT_SECONDS
    )
    assert {part["name"] for part in told["parts"]} == PARTS
    assert len({part["pid"] for part in told["parts"]}) == len(PARTS)
    assert all(url.startswith("postgresql://outcry_owner:") for url in told["stores"]["postgres"])
    assert httpx.get(f"{told['api']}/health").json() == {"status": "ok", "stream": told["stream"]}


def test_everything_listens_on_the_loopback_alone(stack: Stack) -> None:
    """All but the venue's order port: QuickFIX's acceptor can't be told an address to bind."""
    listening = [
        connection.laddr.ip
        for part in stack.status()["parts"]
        if part["name"] != "exchange"
        for connection in psutil.Process(part["pid"]).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_nothing_in_the_home_is_open_to_others(stack: Stack) -> None:
    for path in (stack.home, *stack.home.glob("*"), *(stack.home / "run").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_up_and_a_reset_are_refused_while_it_runs(stack: Stack) -> None:
    second = stack.outcry("up", "--headless")
    assert (second.returncode, "already running" in second.stderr) == (3, True)
    reset = stack.outcry("reset", "--yes")
    assert (reset.returncode, "outcry down" in reset.stderr) == (3, True)


def test_doctor_finds_nothing_wrong(stack: Stack) -> None:
    eventually(lambda: stack.outcry("doctor"), lambda done: done.returncode == 0, WAIT_SECONDS)


def test_logs_are_printed_by_part_and_an_unknown_part_is_wrong_usage(stack: Stack) -> None:
    assert "ready to accept connections" in stack.outcry("logs", "postgres").stdout
    assert stack.outcry("logs", "no-such-part").returncode == 2
    messages = stack.outcry("logs", "gateway", "--fix").stdout
    assert "|35=A|" in messages
    assert "|49=OUTCRY-O1|" in messages
    assert stack.outcry("logs", "relay", "--fix").returncode == 2


@ALONE
def test_a_killed_part_comes_back_and_is_counted(own: Stack) -> None:
    (relay,) = (part for part in own.status()["parts"] if part["name"] == "relay")
    os.kill(relay["pid"], signal.SIGKILL)

    def another() -> Any:
        (found,) = (part for part in own.status()["parts"] if part["name"] == "relay")
        return found

    now = eventually(
        another,
        lambda part: part["state"] == "ready" and part["pid"] != relay["pid"],
        WAIT_SECONDS,
    )
    assert now["restarts"] == relay["restarts"] + 1


@ALONE
def test_a_killed_supervisor_takes_every_process_with_it(own: Stack) -> None:
    processes = own.processes()
    assert len(processes) > len(PARTS)
    own.kill_supervisor()
    assert gone(processes)
    assert own.outcry("status").returncode == 5
    own.start()


@ALONE
def test_down_leaves_nothing_and_up_again_finds_everything(own: Stack) -> None:
    trader = own.trader()
    events = trader.get("/v1/ledger")["items"]
    processes = own.processes()
    assert own.outcry("down").returncode == 0
    assert gone(processes)
    own.start()
    again = own.trader()
    assert again.get("/v1/ledger")["items"] == events
    assert again.get("/v1/funds")["cash"] == "1000000.00"


@ALONE
def test_the_clock_moves_forward_for_the_running_stack(own: Stack) -> None:
    before = own.outcry("clock", "advance", "1d").stdout.strip()
    after = own.outcry("clock", "advance", "2h").stdout.strip()
    assert after > before
    assert before.endswith("+05:30")
    assert own.outcry("clock", "advance", "soon").returncode == 3


@ALONE
def test_a_proof_is_asked_for_by_name_or_number(own: Stack) -> None:
    nobody = own.outcry("ledger", "prove", "no-such-user")
    assert (nobody.returncode, "nobody is called" in nobody.stderr) == (2, True)
    demo = own.outcry("ledger", "prove", "demo")
    assert demo.returncode == 0 or "no anchor has user" in demo.stderr


def test_a_port_in_use_is_named_with_its_holder_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Stack(tmp_path / "home").outcry("up", "--headless", "--port", str(port))
    assert refused.returncode == 1
    assert f"port {port} is in use by" in refused.stderr
    assert f"process {os.getpid()}" in refused.stderr
    assert not list((tmp_path / "home" / "logs").iterdir())


class Terminal:
    """`outcry up` on a terminal of its own."""

    def __init__(self, home: Path) -> None:
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            kept = {k: v for k, v in os.environ.items() if not k.startswith("OUTCRY_")}
            words = ["-m", "infra.command.main", "up", "--port", "0", "--stream-port", "0"]
            os.execve(
                sys.executable,
                [sys.executable, *words],
                {**kept, "OUTCRY_HOME": str(home), "TERM": "xterm-256color"},
            )
        self.shown = b""

    def until(self, wanted: Callable[[bytes], bool], seconds: float = 2 * WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not wanted(self.shown):
            assert time.monotonic() < deadline, self.shown[-2000:]
            if select.select([self._screen], [], [], 0.1)[0]:
                self.shown += os.read(self._screen, 65536)

    def press(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def exit_code(self) -> int:
        try:
            while os.read(self._screen, 65536):  # or a full terminal would hold it back
                pass
        except OSError:  # Linux's way to say that the other side closed
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="outcry-home-") as folder:
        yield Path(folder) / "home"


@ALONE
def test_quitting_the_terminal_stops_everything(home: Path) -> None:
    terminal = Terminal(home)
    terminal.until(lambda shown: ALTERNATE_SCREEN in shown and b"RELIANCE" in shown)
    assert b"ready in" in terminal.shown.partition(ALTERNATE_SCREEN)[0]
    processes = terminal.processes()
    assert len(processes) > len(PARTS)
    terminal.press(QUIT)
    assert terminal.exit_code() == 0
    assert gone(processes[1:])


@ALONE
def test_an_interrupt_while_it_starts_leaves_nothing(home: Path) -> None:
    terminal = Terminal(home)
    terminal.until(lambda shown: b"postgres ready" in shown)
    processes = terminal.processes()
    terminal.press(INTERRUPT)
    assert terminal.exit_code() == 0
    assert gone(processes[1:])
    assert json.loads((home / "clock.json").read_bytes())["hours"] == "always-open"
