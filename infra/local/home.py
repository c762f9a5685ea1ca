"""OUTCRY_HOME: the one folder that state lives in, and the files in it that others read.

Invariant: folders are 0700 and files 0600, a file is replaced whole or not at all, and the lock
on `run/lock` is held exactly as long as a supervisor of this home lives.
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Self

import msgspec
import platformdirs

from infra.local.refusals import StartRefused


class AlreadyRunning(StartRefused):
    """A supervisor holds this home; `pid` is its process."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"Outcry is already running here (process {pid})")
        self.pid = pid


class PartState(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the stack. `state`: starting, ready, failing, restarting or stopped."""

    name: str
    pid: int | None
    state: str
    detail: str = ""
    restarts: int = 0


class StoreAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stack's stores are. `postgres`: TCP addresses of the databases' owner;
    `clickhouse` is None where nobody keeps candles, `search` where no engine keeps an index."""

    postgres: list[str]
    postgres_app: list[str]
    postgres_edge: list[str]
    valkey: str
    streams: str
    secrets: str
    objects: str
    mail: str
    clickhouse: str | None = None
    search: str | None = None


class StackFile(msgspec.Struct, frozen=True, kw_only=True):
    """`run/stack.json`: the running stack, as its supervisor last saw it."""

    version: int = 1
    home: str
    supervisor: int
    state: str
    api: str
    stream: str
    exchange: str
    bank: str
    clock: str
    region: str
    stores: StoreAddresses
    parts: list[PartState]


class DemoUser(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of a paper user. They exist on this machine only."""

    username: str
    password: str
    totp_secret: str


def default_home() -> Path:
    return Path(platformdirs.user_data_dir("outcry"))


class Home:
    """The folder, made private when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def create(self) -> None:
        """Makes the folders. Raises OSError when the place can't be written."""
        kept = (self.passwords, self.secrets, self.objects)
        for folder in (self.path, self.run, self.logs, *kept):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def passwords(self) -> Path:
        """What the embedded servers ask of their clients."""
        return self.path / "passwords"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def search(self) -> Path:
        """The embedded search index."""
        return self.path / "search"

    @property
    def clock(self) -> Path:
        return self.path / "clock.json"

    @property
    def stack_file(self) -> Path:
        return self.run / "stack.json"

    @property
    def demo_user_file(self) -> Path:
        return self.path / "demo-user.json"

    @property
    def fix_log(self) -> Path:
        """Every FIX message of the order sessions, a folder a session."""
        return self.path / "fix-log"

    @property
    def fix_tls(self) -> Path:
        """Certificates of either end of FIX over TLS."""
        return self.path / "fix-tls"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def write(self, path: Path, data: bytes) -> None:
        """Replaces a file whole, readable by its owner alone."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        draft.replace(path)

    def password(self, name: str) -> str:
        """The generated password of that name, made when first asked for."""
        path = self.passwords / name
        if not path.exists():
            self.write(path, secrets.token_urlsafe(24).encode())
        return path.read_text()

    @property
    def shards(self) -> int | None:
        """How many databases the embedded server has; None until that was said."""
        path = self.path / "shards"
        return int(path.read_text()) if path.exists() else None

    def write_shards(self, count: int) -> None:
        self.write(self.path / "shards", str(count).encode())

    def read_stack(self) -> StackFile | None:
        """The running stack, or None when no supervisor holds this home."""
        if self.holder() is None or not self.stack_file.exists():
            return None
        return msgspec.json.decode(self.stack_file.read_bytes(), type=StackFile)

    def read_demo_user(self) -> DemoUser | None:
        if not self.demo_user_file.exists():
            return None
        return msgspec.json.decode(self.demo_user_file.read_bytes(), type=DemoUser)

    def holder(self) -> int | None:
        """The process of the supervisor that holds this home, 0 while it has yet to write its
        number, or None."""
        path = self.run / "lock"
        if not path.exists():
            return None
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdecimal() else 0
        return None


class HomeLock:
    """Held by a supervisor for its whole life; the system lets go when it dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Raises AlreadyRunning when another supervisor holds the home."""
        path = self._home.run / "lock"
        # Not inheritable (PEP 446): a part that outlives us must not hold our lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 20).decode().strip()
            os.close(descriptor)
            raise AlreadyRunning(int(text) if text.isdecimal() else 0) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._file = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
