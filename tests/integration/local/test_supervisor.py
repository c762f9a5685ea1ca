"""The supervisor with real processes: order, restarts, and a stop that leaves nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.local.parts import Part, Step
from infra.local.probes import http_probe
from infra.local.supervisor import RESTARTS_MOST, PartFailed, Supervisor
from tests.support.eventually import WAIT_SECONDS, until

SERVER = """
import http.server, sys
port = int(sys.argv[1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


class Bench:
    """Parts that answer /health, a supervisor over them, and what it said."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.folder = folder
        self.ports = ports
        self.said: list[str] = []
        self.changes: list[None] = []
        self.supervisor: Supervisor | None = None
        self.task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    def part(self, name: str, code: str = SERVER, after: frozenset[str] = frozenset()) -> Part:
        port = self.ports.pop()
        return Part(
            name=name,
            command=[sys.executable, "-c", code, str(port)],
            environment=dict(os.environ),
            log=self.folder / f"{name}.log",
            probe=http_probe(port),
            after=after,
        )

    def run(self, *parts: Part, steps: tuple[Step, ...] = ()) -> None:
        self.supervisor = Supervisor(
            parts, steps, self.said.append, lambda: self.changes.append(None)
        )
        self.task = asyncio.create_task(self.supervisor.run(self.ready.set))

    def pids(self) -> list[int]:
        assert self.supervisor is not None
        return [r.process.pid for r in self.supervisor.running if r.process is not None]

    async def stop(self) -> None:
        if self.task is not None and self.supervisor is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            await self.supervisor.stop()


@pytest.fixture
async def bench(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, free_ports(4))
    yield made
    await made.stop()
    assert not [pid for pid in made.pids() if psutil.pid_exists(pid)]


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    from infra.local.ports import free_ports as found

    return found


async def test_a_part_starts_after_what_it_needs(bench: Bench) -> None:
    order: list[str] = []
    step = Step(name="tables", run=lambda: order.append("tables"), after=frozenset({"store"}))
    bench.run(bench.part("store"), bench.part("user", after=frozenset({"tables"})), steps=(step,))
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    names = [line.split(" ")[0] for line in bench.said]
    assert names == ["store", "tables", "user"]
    assert order == ["tables"]


async def test_a_killed_part_is_started_again(bench: Bench) -> None:
    bench.run(bench.part("store"))
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    (first,) = bench.pids()
    os.kill(first, signal.SIGKILL)
    assert bench.supervisor is not None
    running = bench.supervisor.running[0]
    await until(lambda: bench.pids() != [first] and running.state == "ready")
    assert running.restarts == 1


async def test_a_part_that_stays_ready_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor._PROBE_RUNNING_SECONDS", 0.01)
    asked: list[None] = []

    async def probe() -> tuple[bool, str]:
        asked.append(None)
        return True, "all is well"

    bench.run(replace(bench.part("store"), probe=probe))
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    changes, before = len(bench.changes), len(asked)
    await until(lambda: len(asked) > before + 3)
    assert len(bench.changes) == changes


async def test_a_part_that_will_not_start_says_why_and_leaves_nothing(bench: Bench) -> None:
    bench.run(bench.part("store"), bench.part("broken", "raise SystemExit('no such table')"))
    assert bench.task is not None
    with pytest.raises(PartFailed, match=r"broken ended with exit code 1(.|\n)*no such table"):
        await asyncio.wait_for(bench.task, WAIT_SECONDS)


async def test_a_step_that_fails_ends_the_start_with_its_own_error(bench: Bench) -> None:
    def refuse() -> None:
        raise PermissionError("not yours")

    bench.run(bench.part("store"), steps=(Step(name="tables", run=refuse),))
    assert bench.task is not None
    with pytest.raises(PermissionError, match="not yours"):
        await asyncio.wait_for(bench.task, WAIT_SECONDS)


async def test_a_part_that_keeps_dying_ends_the_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor._RESTART_PAUSES", (0.0,))
    monkeypatch.setattr("infra.local.supervisor.RESTART_WINDOW_SECONDS", 3_600.0)
    part = bench.part("store")
    bench.run(part)
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    assert bench.supervisor is not None
    assert bench.task is not None
    running = bench.supervisor.running[0]
    for number in range(RESTARTS_MOST + 1):
        await until(lambda n=number: running.restarts == n and _lives(running.process))  # type: ignore[misc]
        assert running.process is not None
        running.process.kill()
    with pytest.raises(PartFailed, match="store died 11 times"):
        await asyncio.wait_for(bench.task, WAIT_SECONDS)


def _lives(process: asyncio.subprocess.Process | None) -> bool:
    return process is not None and process.returncode is None


async def test_a_part_that_ignores_sigterm_is_killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.parts.STOP_SECONDS", 0.3)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    bench.run(bench.part("store", stubborn))
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    await asyncio.wait_for(bench.stop(), WAIT_SECONDS)


async def test_what_a_part_started_goes_with_it(bench: Bench) -> None:
    parent = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'])\n" + SERVER
    bench.run(bench.part("store", parent))
    await asyncio.wait_for(bench.ready.wait(), WAIT_SECONDS)
    (sleeper,) = psutil.Process(bench.pids()[0]).children()
    await bench.stop()
    await until(lambda: not psutil.pid_exists(sleeper.pid))
