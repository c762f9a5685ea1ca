"""A simulated bank as a process of its own, that a test may kill and start again."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.shared.stores.bank import HttpBank
from infra.local.children import die_with_parent
from infra.local.ports import LOOPBACK, free_ports

TOKEN = "a-token-of-the-tests"
START_SECONDS = 120.0


class BankProcess:
    """`url` and the token stay the same over restarts; so does what the bank knows."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.state = folder / "bank"
        self._token = folder / "bank-token"
        self._token.write_text(TOKEN)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers. Raises RuntimeError when it does not."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.bank.main"),
                *("--listen", f"{LOOPBACK}:{self.port}"),
                *("--state", str(self.state), "--token-file", str(self._token)),
            ],
            preexec_fn=die_with_parent(),
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health")[0] == 200:
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the bank did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """kill -9."""
        self._stop(signal.SIGKILL)

    def stop(self) -> int:
        """Asks it to end; gives its exit code."""
        return self._stop(signal.SIGTERM)

    def client(self, answer_seconds: float = 60.0, rest_seconds: float = 0.0) -> HttpBank:
        """The adapter as the functions have it, but for its rest and its patience: a bank that is
        not told to be silent answers, however busy the machine is."""
        return HttpBank(self.url, TOKEN, answer_seconds=answer_seconds, rest_seconds=rest_seconds)

    def behave(self, behaviour: str, times: int | None = None, seconds: float = 1.0) -> None:
        """Tells it how to behave from now on."""
        told = {"behaviour": behaviour, "times": times, "seconds": seconds}
        assert self.ask("PUT", "/behaviour", told)[0] == 200

    def payments(self) -> dict[str, dict[str, Any]]:
        """All it knows, by reference."""
        return {row["reference"]: row for row in self.ask("GET", "/payments")[1]["payments"]}

    def ask(
        self, method: str, path: str, body: object = None, token: str = TOKEN
    ) -> tuple[int, Any]:
        """Status and JSON of one request. Raises OSError, http.client.HTTPException."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=60)
        try:
            text = body if isinstance(body, str) else json.dumps(body)
            connection.request(method, path, text, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()

    def _stop(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(START_SECONDS)
        self._process = None
        return code


@contextlib.contextmanager
def bank_process() -> Iterator[BankProcess]:
    """A running bank with a journal of its own."""
    with tempfile.TemporaryDirectory(prefix="outcry-bank-") as folder:
        bank = BankProcess(Path(folder))
        try:
            bank.start()
            yield bank
        finally:
            bank.kill()


@pytest.fixture(scope="module")
def bank() -> Iterator[BankProcess]:
    """One bank for a file's tests; each test uses references of its own."""
    with bank_process() as running:
        yield running
