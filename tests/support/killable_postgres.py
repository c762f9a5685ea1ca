"""A PostgreSQL of a test's own, as durable as the stack's, to be killed and started again."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from infra.local.children import die_with_parent
from infra.local.home import Home
from infra.local.migrations import migrate
from infra.local.ports import free_ports
from infra.local.postgres import OWNER, PostgresServer
from tests.support.gone import wait_gone

START_SECONDS = 120.0


class KillablePostgres:
    """The server and its port stay the same over restarts; so do its migrated shards."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder)
        home.create()
        self.server = PostgresServer(home, free_ports(1)[0])
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers. Raises RuntimeError when it does not."""
        self.server.create()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.server.command(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(self.server.death_signal, as_ordinary_user=True),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.server.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9 of the server and all its backends, at once. They are gone when it returns: a
        backend that still holds the shared memory keeps the next server from starting."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
                server = psutil.Process(self._process.pid)
                backends = server.children(recursive=True)
                for process in (server, *backends):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                wait_gone(backends, START_SECONDS)
            self._process.wait(START_SECONDS)
            self._process = None


@contextlib.contextmanager
def killable_postgres() -> Iterator[KillablePostgres]:
    """A running server with migrated shards."""
    with tempfile.TemporaryDirectory(prefix="outcry-postgres-") as folder:
        postgres = KillablePostgres(Path(folder))
        try:
            postgres.start()
            postgres.server.create_roles_and_databases()
            migrate(postgres.server.urls(OWNER))
            yield postgres
        finally:
            postgres.kill()
