"""A real Kafka broker: the one at KAFKA_URL (HOST:PORT), or one of a test's own, started by the
script that KAFKA_HOST_UP names."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from infra.local.ports import free_ports
from tests.support.gone import wait_gone

START_SECONDS = 400.0  # the first start fetches it
STOP_SECONDS = 120.0
#: The least that brokers allow, and what ours allows.
TAKEOVER_SECONDS = 6.0
_CONFIG = "group.min.session.timeout.ms=500\n"


@dataclass
class KafkaBroker:
    """A broker. `takeover_seconds`: how soon it may notice that a consumer died."""

    address: str
    takeover_seconds: float = TAKEOVER_SECONDS

    def url(self, prefix: str) -> str:
        return f"kafka://{self.address}/{prefix}"


class OwnKafka(KafkaBroker):
    """One that a test may stop and start again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._port, self._controller = free_ports(2)
        super().__init__(f"127.0.0.1:{self._port}", 1.5)
        self._folder = folder
        self._process: psutil.Process | None = None

    def start(self) -> None:
        config = self._folder / "more.properties"
        config.write_text(_CONFIG)
        environment = {
            "PORT": str(self._port),
            "CONTROLLER_PORT": str(self._controller),
            "DATA": str(self._folder / "data"),
            "CONFIG": str(config),
            "HEAP": "256m",
        }
        with (self._folder / "up.out").open("w+") as said:
            # Into a file: the server keeps the pipe's end for as long as it lives.
            subprocess.run(
                ["bash", os.environ["KAFKA_HOST_UP"]],
                env={**os.environ, **environment},
                stdout=said,
                timeout=START_SECONDS,
                check=True,
            )
            said.seek(0)
            self._process = psutil.Process(int(said.read().split()[-1]))

    def send(self, number: signal.Signals) -> None:
        """To the running broker."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.send_signal(number)
            wait_gone([self._process], STOP_SECONDS)
            self._process = None


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """One broker for all tests that ask for it; skips them where there is none and none can be
    started. They are in the group "buses", so that one worker starts it."""
    pytest.importorskip("confluent_kafka")
    if address := os.environ.get("KAFKA_URL"):
        yield KafkaBroker(address)
        return
    if not os.environ.get("KAFKA_HOST_UP"):
        pytest.skip("neither KAFKA_URL nor KAFKA_HOST_UP, a script that starts Kafka, is set")
    with tempfile.TemporaryDirectory(prefix="outcry-kafka-") as folder:
        broker = OwnKafka(Path(folder))
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()
