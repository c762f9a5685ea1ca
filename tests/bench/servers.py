"""A PostgreSQL of a bench's own: as durable as the stack's, and gone afterwards."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.children import die_with_parent
from infra.local.home import Home
from infra.local.migrations import migrate
from infra.local.ports import free_ports
from infra.local.postgres import APPLICATION, EDGE, OWNER, PostgresServer

START_SECONDS = 30.0


@dataclass(frozen=True)
class DurablePostgres:
    owner_urls: list[str]
    app_urls: list[str]
    edge_urls: list[str]


@contextlib.contextmanager
def durable_postgres() -> Iterator[DurablePostgres]:
    """Two migrated shards; every commit reaches the disk before it is answered."""
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
        home = Home(Path(folder))
        home.create()
        server = PostgresServer(home, free_ports(1)[0])
        server.create()
        with Path(folder, "postgres.log").open("wb") as log:
            process = subprocess.Popen(
                server.command(),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(server.death_signal, as_ordinary_user=True),
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL did not start")
                time.sleep(0.05)
            server.create_roles_and_databases()
            migrate(server.urls(OWNER))
            yield DurablePostgres(*map(server.urls, (OWNER, APPLICATION, EDGE)))
        finally:
            process.send_signal(server.stop_signal)
            process.wait(15)
