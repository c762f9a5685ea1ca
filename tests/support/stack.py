"""The whole stack, started as `outcry up` starts it, in a temporary OUTCRY_HOME on free ports."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from infra.local.children import die_with_parent
from tests.support.gone import wait_gone
from tests.support.trader import Trader

START_SECONDS = 300.0
STOP_SECONDS = 180.0
_COMMAND = [sys.executable, "-m", "infra.command.main"]


class Stack:
    """A running stack. `home` is its OUTCRY_HOME; `streams_url` a bus that it does not start."""

    def __init__(self, home: Path, *options: str, streams_url: str | None = None) -> None:
        self.home = home
        self._streams_url = streams_url
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._trader: Trader | None = None
        self._traders: list[Trader] = []

    def start(self) -> None:
        """Starts it and waits until every part is ready. Raises RuntimeError with what it said."""
        if self._process is not None:  # stopped by `outcry down`
            self._process.wait(STOP_SECONDS)
            self._forget()
        self.home.mkdir(mode=0o700, exist_ok=True)
        output = self.home.with_suffix(".out")
        self._log = output.open("ab")
        self._process = subprocess.Popen(
            [*_COMMAND, "up", "--headless", "--port", "0", "--stream-port", "0", *self._options],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # a killed test run leaves no stack behind
        )
        self.wait_ready()

    def stop(self) -> int:
        """Stops it as a service manager does; gives the exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS)
        self._forget()
        return code

    def kill_supervisor(self) -> None:
        """kill -9 of the one process that started everything."""
        if self._process is None:
            raise RuntimeError("the stack is not running")
        self._process.kill()
        self._process.wait()
        self._forget()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Waits until the stack runs and each of its parts is ready."""
        deadline = time.monotonic() + seconds
        while True:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"the stack ended:\n{self.output}")
            file = self.home / "run" / "stack.json"
            if file.exists():
                told = json.loads(file.read_bytes())
                ready = all(part["state"] == "ready" for part in told["parts"])
                # What a killed supervisor left behind tells of its own parts, not of these.
                mine = self._process is None or told["supervisor"] == self._process.pid
                if mine and told["state"] == "running" and ready:
                    return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the stack was not ready in {seconds:.0f} s:\n{self.output}")
            time.sleep(0.05)

    def outcry(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """One `outcry` command in this home."""
        return subprocess.run(
            [*_COMMAND, *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @contextlib.contextmanager
    def started(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """An `outcry` command while it runs; it has ended when this returns."""
        with subprocess.Popen(
            [*_COMMAND, *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        ) as process:
            yield process

    def status(self) -> Any:
        done = self.outcry("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def output(self) -> str:
        """What `outcry up` printed."""
        return self.home.with_suffix(".out").read_text()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the stack is not running")
        return self._process.pid

    @property
    def api(self) -> str:
        return str(self._told("api"))

    @property
    def exchange(self) -> str:
        return str(self._told("exchange"))

    @property
    def stores(self) -> Any:
        """Where the stores are, by name."""
        return self._told("stores")

    @property
    def stream(self) -> str:
        return str(self._told("stream"))

    def trader(self) -> Trader:
        """The demo user, signed in once for all tests: a one-time code works once."""
        if self._trader is None:
            user = json.loads((self.home / "demo-user.json").read_bytes())
            self._trader = Trader(self.api, self.stream, user)
            self._traders.append(self._trader)
            self._trader.sign_in()
        return self._trader

    def new_trader(self, deposit: str | None = None) -> Trader:
        """A paper user of its own, signed in, with so many rupees more than it starts with. It may
        place as fast as it can."""
        return self.new_traders(1, deposit)[0]

    def new_traders(self, count: int, deposit: str | None = None) -> list[Trader]:
        """So many of them."""
        done = self.outcry("demo-user", "--count", str(count), "--class", "TEST", "--json")
        assert done.returncode == 0, done.stderr
        traders = [self.signed_in(user) for user in json.loads(done.stdout)]
        for trader in traders if deposit is not None else ():
            answer = trader.http.post(
                "/v1/funds/deposits", json={"client_id": "more", "amount": deposit}
            )
            assert answer.status_code == 202, answer.text
        return traders

    def signed_in(self, user: dict[str, str]) -> Trader:
        """A client of that user, closed when the stack stops."""
        trader = Trader(self.api, self.stream, user)
        self._traders.append(trader)
        return trader.sign_in()

    def kill(self, *names: str) -> None:
        """kill -9 of the parts of these names."""
        for part in self.status()["parts"]:
            if part["name"] in names and part["pid"]:
                os.kill(part["pid"], signal.SIGKILL)

    @contextlib.contextmanager
    def unattended(self) -> Iterator[None]:
        """Meanwhile nobody starts again what is killed."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def part(self, name: str) -> psutil.Process:
        """The process of the part of that name, as it runs now."""
        return psutil.Process(self.pid_of(name))

    def pid_of(self, name: str) -> int:
        """As the supervisor last told."""
        (pid,) = (part["pid"] for part in self._told("parts") if part["name"] == name)
        return int(pid)

    def lose_streams(self) -> None:
        """kill -9 of the durable streams, and their files are gone when they start again."""
        folder = self.home / "streams" / "appendonlydir"
        folder.rename(folder.with_name("lost"))
        self.kill("streams")

    def kill_everything(self) -> None:
        """kill -9 of the supervisor and of every part, all at once."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait()
        self._forget()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and every process below it; none when it has ended."""
        if self._process is None or self._process.poll() is not None:
            return []
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def _told(self, name: str) -> Any:
        return json.loads((self.home / "run" / "stack.json").read_bytes())[name]

    def _forget(self) -> None:
        for trader in self._traders:
            trader.http.close()
        self._traders.clear()
        self._process = self._trader = None
        if self._log is not None:
            self._log.close()

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OUTCRY_")}
        own = {
            "OUTCRY_HOME": str(self.home),
            "OUTCRY_RATE_USER": "0",  # a test asks again and again until something has come
            # X-Forwarded-For is believed: a test may call from a network of its own.
            "OUTCRY_TRUSTED_PROXIES": "127.0.0.0/8",
        }
        if self._streams_url is not None:
            own["OUTCRY_STREAMS_URL"] = self._streams_url
        return {**kept, **own}


@contextlib.contextmanager
def own_stack(*options: str, streams_url: str | None = None) -> Iterator[Stack]:
    """A stack for one test or module alone. In the end it is killed: that one stops as it should is
    shown by tests of its own, and takes seconds."""
    with tempfile.TemporaryDirectory(prefix="outcry-stack-") as folder:
        stack = Stack(Path(folder) / "home", *options, streams_url=streams_url)
        try:
            stack.start()
            yield stack
        finally:
            processes = stack.processes()
            stack.kill_everything()
            wait_gone(processes, STOP_SECONDS)  # until nobody writes to the folder


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One stack for the whole session: a test makes its own user, or leaves the demo user whole."""
    with own_stack() as running:
        yield running
