"""The embedded ClickHouse as the stack runs it, in a folder of a test's own."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from infra.local.children import die_with_parent
from infra.local.ports import LOOPBACK, free_ports
from tests.support.eventually import wait_until

TOKEN = "a-token"


class EmbeddedUnderTest:
    """The part's process. Its folder outlives it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_ports(1)[0]
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(TOKEN)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"embedded://:{TOKEN}@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OUTCRY_")}
        told = {
            "OUTCRY_LISTEN": f"{LOOPBACK}:{self.port}",
            "OUTCRY_CLICKHOUSE_STATE": str(self._folder),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.clickhouse"],
            env=kept | told,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        wait_until(self._answers)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code, self._process = self._process.wait(60), None
        return code

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/health", timeout=5):
                return True
        except OSError:
            return False


@contextlib.contextmanager
def embedded_clickhouse(folder: Path) -> Iterator[EmbeddedUnderTest]:
    """Running, until the end of the block."""
    running = EmbeddedUnderTest(folder)
    running.start()
    try:
        yield running
    finally:
        running.stop(signal.SIGKILL)
