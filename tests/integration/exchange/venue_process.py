"""Starts the exchange as its own process, and speaks to it as a broker would."""

import json
import queue
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import quickfix as fix

ROOT = Path(__file__).parents[3]
DICTIONARY = ROOT / "infra" / "fix" / "FIX44.xml"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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

    def __init__(self, folder: Path, rate: int = 500) -> None:
        self.folder = folder
        self.rate = rate
        self.orders_port, self.feed_port, self.health_port = (free_port() for _ in range(3))
        self.clock = folder / "clock.json"
        write_clock(self.clock)
        self.process: subprocess.Popen[str] | None = None

    def _spawn(self, options: dict[str, str]) -> "subprocess.Popen[str]":
        arguments = {
            "orders-port": str(self.orders_port),
            "feed-port": str(self.feed_port),
            "health-port": str(self.health_port),
            "state": str(self.folder / "state"),
            "clock": str(self.clock),
            "rate": str(self.rate),
            "seed": "7",
        } | options
        command = [sys.executable, "-m", "infra.exchange.main"]
        for name, value in arguments.items():
            command += [f"--{name}", value]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def start(self) -> "VenueProcess":
        self.process = self._spawn({})
        until(lambda: self.get("/health")["state"] == "ready")
        return self

    def fail(self, options: dict[str, str]) -> tuple[int, str]:
        """Start what cannot start; return its status and message."""
        process = self._spawn(options)
        _, message = process.communicate(timeout=10)
        return process.returncode, message

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def terminate(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=5)
        return int(self.process.returncode)

    def get(self, path: str) -> Any:
        address = f"http://127.0.0.1:{self.health_port}{path}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)


def until(check: Any, timeout_s: float = 10.0) -> Any:
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


class _Application(fix.Application):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.messages: queue.Queue[dict[int, str]] = queue.Queue()
        self.admin: queue.Queue[dict[int, str]] = queue.Queue()

    def onCreate(self, session_id: Any) -> None: ...  # noqa: N802
    def onLogon(self, session_id: Any) -> None: ...  # noqa: N802
    def onLogout(self, session_id: Any) -> None: ...  # noqa: N802
    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        if message.getHeader().isSetField(43):
            raise fix.DoNotSend

    def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        self.admin.put(_tags(message))

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        self.messages.put(_tags(message))


def _tags(message: Any) -> dict[int, str]:
    pairs = (field.partition("=") for field in message.toString().split("\x01") if field)
    return {int(tag): value for tag, _, value in pairs}


class Broker:
    """A quickfix initiator on one order session. It never replays orders, as brokers do not."""

    def __init__(self, folder: Path, port: int, name: str = "OUTCRY-O1") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / f"{name}.cfg"
        config.write_text(
            "[DEFAULT]\nConnectionType=initiator\nBeginString=FIX.4.4\nNonStopSession=Y\n"
            f"SenderCompID={name}\nTargetCompID=XNSE\nHeartBtInt=10\nReconnectInterval=1\n"
            f"SocketConnectHost=127.0.0.1\nSocketConnectPort={port}\nSocketNodelay=Y\n"
            f"FileStorePath={folder / 'store'}\nUseDataDictionary=Y\n"
            f"DataDictionary={DICTIONARY}\nTimestampPrecision=3\n[SESSION]\n"
        )
        self.application = _Application()
        self._settings = fix.SessionSettings(str(config))
        self._stores = fix.FileStoreFactory(self._settings)
        self._session_id = fix.SessionID("FIX.4.4", name, "XNSE")
        self._initiator = fix.SocketInitiator(self.application, self._stores, self._settings)

    @property
    def session(self) -> Any:
        return fix.Session.lookupSession(self._session_id)

    def logon(self) -> "Broker":
        self._initiator.start()
        until(lambda: self.session.isLoggedOn())
        return self

    def stop(self) -> None:
        self._initiator.stop(True)

    def send(self, msg_type: str, *, poss_resend: bool = False, **fields: str) -> None:
        """Send an application message; fields are named t11, t38, ... by their tag."""
        named = {int(name[1:]): value for name, value in fields.items()}
        named.setdefault(60, f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000")
        if msg_type == "H":
            named.pop(60)
        body = "".join(f"{tag}={value}\x01" for tag, value in named.items())
        message = fix.Message()
        message.setString(f"8=FIX.4.4\x019=0\x0135={msg_type}\x01{body}10=000\x01", False)
        if poss_resend:
            message.getHeader().setField(97, "Y")
        fix.Session.sendToTarget(message, self._session_id)

    def limit(self, cl_ord_id: str, side: str, quantity: int, price: str, **more: str) -> None:
        fields = {"t11": cl_ord_id, "t1": "77", "t55": "RELIANCE", "t54": side, "t40": "2"}
        fields |= {"t38": str(quantity), "t44": price, "t59": "0"}
        self.send("D", **(fields | more))

    def next(self, timeout_s: float = 5.0) -> dict[int, str]:
        """Return the next application message."""
        return self.application.messages.get(timeout=timeout_s)

    def next_of(self, cl_ord_id: str, exec_type: str, timeout_s: float = 5.0) -> dict[int, str]:
        """Return the next report of one order and kind, passing over others."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if message.get(11) == cl_ord_id and message.get(150) == exec_type:
                return message


@contextmanager
def running(folder: Path, rate: int = 500) -> Iterator[VenueProcess]:
    """Start an exchange and make sure that it ends."""
    venue = VenueProcess(folder, rate)
    try:
        yield venue.start()
    finally:
        venue.kill()
