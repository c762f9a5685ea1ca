"""The order gateway as a process of its own, with the paper ledger in the real one's place."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from edge.gateway.main import GatewaySettings, Ledger, run
from edge.runtime.log import configure_logging
from tests.support.paper_ledger import PaperLedger

ROOT = Path(__file__).parents[2]


class GatewayProcess:
    """Start it, kill it, start it again: its state is the folder."""

    def __init__(
        self, folder: Path, streams_url: str, venue_port: int, health_port: int, **settings: str
    ) -> None:
        self.folder = folder
        self.fix_state = folder / "fix"
        self.ledger = folder / "ledger.sqlite"
        self.process: subprocess.Popen[bytes] | None = None
        self._health = f"127.0.0.1:{health_port}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OUTCRY_")},
            "OUTCRY_POSTGRES_URLS": str(self.ledger),
            "OUTCRY_STREAMS_URL": streams_url,
            "OUTCRY_VALKEY_URL": streams_url,
            "OUTCRY_VENUE_ORDERS": f"127.0.0.1:{venue_port}",
            "OUTCRY_FIX_STATE": str(self.fix_state),
            "OUTCRY_FIX_LOG": str(folder / "fix-log"),
            "OUTCRY_HEALTH": self._health,
            "OUTCRY_INSTANCE": "gateway.1",
            **{f"OUTCRY_{name}": value for name, value in settings.items()},
        }

    def start(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.gateway_process"],
                cwd=ROOT,
                env=self._environment,
                stderr=log,
                stdout=log,
            )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._health}/health", timeout=60) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> dict[str, float]:
        """What /metrics tells, by name and labels."""
        with urllib.request.urlopen(f"http://{self._health}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code. Raises TimeoutExpired after a minute."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def main() -> int:
    settings = GatewaySettings.from_environment()
    configure_logging("gateway", settings.log_level)
    path = Path(settings.postgres_urls[0])

    def opened(fence: int) -> PaperLedger:
        return PaperLedger(path, fence)

    return run(settings, Ledger(lambda: PaperLedger(path), opened, opened, opened))


if __name__ == "__main__":
    sys.exit(main())
