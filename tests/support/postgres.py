"""A real PostgreSQL for the test session, and a fresh pair of migrated shards for each test.

The server is the embedded one, started as the stack starts it, with its durability off: a test
that kills the server brings its own. Migrations run once, into two template databases; each test
gets copies.
"""

import contextlib
import itertools
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pg8000.native
import pytest

from functions.shared.stores.postgres import Shards
from infra.local.children import die_with_parent
from infra.local.home import Home
from infra.local.migrations import migrate
from infra.local.ports import LOOPBACK, free_ports
from infra.local.postgres import APPLICATION, EDGE, OWNER, PostgresServer, connect, shard_names
from infra.local.seed import seed_instruments

START_SECONDS = 120.0
_SUPERUSER = "postgres"
_FAST = ["--fsync=off", "--synchronous_commit=off", "--full_page_writes=off"]


@dataclass(frozen=True)
class PostgresUnderTest:
    """The session's server; its own two databases are the templates and take no connection."""

    home: Home
    server: PostgresServer
    admin: pg8000.native.Connection

    def url(self, role: str, database: str) -> str:
        return _url(self.home, self.server, role, database)

    def superuser(self, database: str) -> pg8000.native.Connection:
        """For planting damage that no role of ours can do."""
        return connect(self.url(_SUPERUSER, database))


@dataclass(frozen=True)
class ShardsUnderTest:
    """One test's databases, shard 0 first."""

    postgres: PostgresUnderTest
    names: tuple[str, ...]

    def urls(self, role: str) -> list[str]:
        return [self.postgres.url(role, name) for name in self.names]

    def superuser(self, shard: int) -> pg8000.native.Connection:
        return self.postgres.superuser(self.names[shard])


def _url(home: Home, server: PostgresServer, role: str, database: str) -> str:
    return f"postgresql://{role}:{home.password(role)}@{LOOPBACK}:{server.port}/{database}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresUnderTest]:
    with tempfile.TemporaryDirectory(prefix="outcry-postgres-") as folder:
        home = Home(Path(folder))
        home.create()
        server = PostgresServer(home, free_ports(1)[0])
        server.create()
        with Path(folder, "postgres.log").open("wb") as log:
            process = subprocess.Popen(
                [*server.command(), *_FAST],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(server.death_signal, as_ordinary_user=True),
            )
        try:
            _wait(server, process, Path(folder, "postgres.log"))
            server.create_roles_and_databases()
            migrate(server.urls(OWNER))
            seed_instruments(server.urls(OWNER))
            admin = connect(_url(home, server, _SUPERUSER, "postgres"))
            yield PostgresUnderTest(home, server, admin)
            admin.close()
        finally:
            process.send_signal(server.death_signal)
            process.wait(START_SECONDS)


def _wait(server: PostgresServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)


_numbers = itertools.count()


@contextlib.contextmanager
def fresh_databases(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    """Shards with the schema, the roles and the instrument master, and nothing else."""
    number = next(_numbers)
    names = tuple(f"test_{number}_{shard}" for shard in range(len(shard_names())))
    for name, template in zip(names, shard_names(), strict=True):
        postgres.admin.run(
            f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY FILE_COPY"
        )
    try:
        yield ShardsUnderTest(postgres, names)
    finally:
        for name in names:
            postgres.admin.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def databases(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    """Fresh shards for one test."""
    with fresh_databases(postgres) as made:
        yield made


@pytest.fixture
def owner_urls(databases: ShardsUnderTest) -> list[str]:
    """Addresses of the shards as their owner."""
    return databases.urls(OWNER)


@pytest.fixture
def application_urls(databases: ShardsUnderTest) -> list[str]:
    """Addresses of the shards as the functions' role."""
    return databases.urls(APPLICATION)


@pytest.fixture
def edge_urls(databases: ShardsUnderTest) -> list[str]:
    """Addresses of the shards as the edge's role."""
    return databases.urls(EDGE)


@pytest.fixture
def shards(application_urls: list[str]) -> Iterator[Shards]:
    """The shards as the functions see them."""
    opened = Shards(application_urls, "test")
    yield opened
    opened.close()


@pytest.fixture
def edge_shards(edge_urls: list[str]) -> Iterator[Shards]:
    """The shards as the edge sees them."""
    opened = Shards(edge_urls, "test-edge")
    yield opened
    opened.close()
