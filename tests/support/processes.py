"""A process of ours by its module, with its settings, killed with the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from infra.local.children import die_with_parent
from infra.local.ports import free_ports

READY_SECONDS = 120.0


class ProcessUnderTest:
    """`python -m module`; its log is a file. Settings are named without their prefix."""

    def __init__(self, module: str, settings: Mapping[str, str], log: Path) -> None:
        self.module = module
        self._health = f"127.0.0.1:{free_ports(1)[0]}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OUTCRY_")}
        ours = {f"OUTCRY_{name}": value for name, value in settings.items()}
        self._environment = {
            **kept, "OUTCRY_INSTANCE": f"{module}.1", **ours, "OUTCRY_HEALTH": self._health,
        }  # fmt: skip
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                env=self._environment,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )

    def wait_ready(self) -> None:
        """Until it says so itself."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                answer = self._ask("/health")
                if answer.status_code == 200:
                    return
                said = answer.text
            except httpx.TransportError as error:
                said = str(error)
            assert time.monotonic() < deadline, f"{said}\n{self._log.read_text()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait_ended(self, seconds: float) -> int:
        """Its exit code, once it ended of itself. Raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(seconds)

    def metric_or(self, name: str, otherwise: float) -> float:
        """A sample of its /metrics; `otherwise` while it has none, as a standby."""
        try:
            return self.metric(name)
        except KeyError:
            return otherwise

    def metric(self, name: str) -> float:
        """A sample of its /metrics by its full name."""
        for line in self._ask("/metrics").text.splitlines():
            key, _, value = line.rpartition(" ")
            if key == name:
                return float(value)
        raise KeyError(name)

    def _ask(self, path: str) -> httpx.Response:
        # Loading the known authorities each time takes longer than the pause between two questions.
        return httpx.get(f"http://{self._health}{path}", trust_env=False, verify=False)
