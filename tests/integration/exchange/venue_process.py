"""Starts the exchange as its own process, and speaks to it as a broker would."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local.ports import free_ports
from tests.support.eventually import WAIT_SECONDS

ROOT = Path(__file__).parents[3]


def write_clock(
    path: Path, business: str = "2026-11-23T06:00:00Z", hours: str = "always-open"
) -> None:
    """Replace the clock file the way its writer does: by rename."""
    wall = datetime.now(UTC).isoformat()
    setting = {"version": 1, "hours": hours, "wall": wall, "business": business, "speed": 1.0}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(setting))
    fresh.replace(path)


class VenueProcess:
    """One exchange with its state in a folder; it can be killed and started again."""

    def __init__(self, folder: Path, rate: int = 500, **options: str) -> None:
        self.folder = folder
        self.options = options
        self.rate = rate
        self.orders_port, self.feed_port, self.health_port = free_ports(3)
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = folder / "clock.json"
        write_clock(self.clock)
        self.process: subprocess.Popen[str] | None = None

    def spawn(self, options: dict[str, str]) -> "subprocess.Popen[str]":
        """Start the process with some of its options changed."""
        arguments = {
            "orders-port": str(self.orders_port),
            "feed-port": str(self.feed_port),
            "health-port": str(self.health_port),
            "state": str(self.folder / "state"),
            "clock": str(self.clock),
            "rate": str(self.rate),
            "seed": "7",
        }
        arguments |= self.options | options
        command = [sys.executable, "-m", "infra.exchange.main"]
        for name, value in arguments.items():
            command += [f"--{name}", value]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def start(self) -> "VenueProcess":
        self.process = self.spawn({})
        until(lambda: self.get("/health")["state"] == "ready")
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def terminate(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=WAIT_SECONDS)
        return int(self.process.returncode)

    def get(self, path: str) -> Any:
        address = f"http://127.0.0.1:{self.health_port}{path}"
        with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as answer:
            return json.load(answer)

    def control(self, **action: object) -> tuple[int, Any]:
        """Let the operator do something; return the status and the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.health_port}/control",
            json.dumps(action).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def until(check: Any, timeout_s: float = WAIT_SECONDS) -> Any:
    """Wait for a condition of another process; what it last said is in the failure."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
        except OSError as error:
            last = error
        if last and not isinstance(last, OSError):
            return last
        time.sleep(0.02)
    raise AssertionError(f"did not happen in {timeout_s} s; last: {last!r}")


class Broker:
    """A quickfix initiator on one order session, in a process of its own as a broker's is.

    (quickfix keeps its sessions in one registry per process, and stopping an initiator is not safe
    there.) `expect` sets the next MsgSeqNum expected from the venue before the logon.
    """

    def __init__(
        self, folder: Path, port: int, name: str = "OUTCRY-O1", expect: int | None = None
    ) -> None:
        self.messages: queue.Queue[dict[int, str]] = queue.Queue()
        self.notices: queue.Queue[dict[int, str]] = queue.Queue()
        self.rejects: queue.Queue[dict[int, str]] = queue.Queue()
        self.logged_on = False
        command = [sys.executable, "-m", "tests.integration.exchange.broker_process"]
        command += [str(folder), str(port), name, str(expect or 0)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            kind, value = json.loads(line)
            if kind == "logged_on":
                self.logged_on = value
                continue
            message = {int(tag): text for tag, text in value.items()}
            if kind == "app" and message[35] in {"h", "f", "d"}:
                self.notices.put(message)
            elif kind == "app":
                self.messages.put(message)
            elif message[35] == "3":
                self.rejects.put(message)

    def logon(self) -> "Broker":
        until(lambda: self.logged_on)
        return self

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=WAIT_SECONDS)
        self._listener.join(timeout=WAIT_SECONDS)
        self._process.stdout.close()

    def send(self, msg_type: str, *, poss_resend: bool = False, **fields: str) -> None:
        """Send an application message; fields are named t11, t38, ... by their tag."""
        named = {int(name[1:]): value for name, value in fields.items()}
        if msg_type in {"D", "F", "G", "q"}:
            named.setdefault(60, f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000")
        body = "".join(f"{tag}={value}\x01" for tag, value in named.items())
        raw = f"8=FIX.4.4\x019=0\x0135={msg_type}\x01{body}10=000\x01"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([raw, poss_resend]) + "\n")
        self._process.stdin.flush()

    def limit(
        self,
        cl_ord_id: str,
        side: str,
        quantity: int,
        price: str,
        *,
        poss_resend: bool = False,
        **more: str,
    ) -> None:
        """Send a DAY limit order for RELIANCE."""
        fields = {"t11": cl_ord_id, "t1": "77", "t55": "RELIANCE", "t54": side, "t40": "2"}
        fields |= {"t38": str(quantity), "t44": price, "t59": "0"}
        self.send("D", poss_resend=poss_resend, **(fields | more))

    def next(self, timeout_s: float = WAIT_SECONDS) -> dict[int, str]:
        """Return the next application message."""
        return self.messages.get(timeout=timeout_s)

    def next_of(
        self, cl_ord_id: str, exec_type: str, timeout_s: float = WAIT_SECONDS
    ) -> dict[int, str]:
        """Return the next report of one order and kind, passing over others."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if message.get(11) == cl_ord_id and message.get(150) == exec_type:
                return message


@contextmanager
def running(folder: Path, rate: int = 500, **options: str) -> Iterator[VenueProcess]:
    """Start an exchange and make sure that it ends."""
    venue = VenueProcess(folder, rate, **options)
    try:
        yield venue.start()
    finally:
        venue.kill()
