"""One life of the stack: lock the home, start everything, watch it, stop it.

Invariant: `run/stack.json` says what runs, and while it says "running" every part has been ready.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from infra.local.clock_file import set_clock
from infra.local.home import Home, HomeLock, StackFile, StoreAddresses
from infra.local.options import Options
from infra.local.plan import OwnServers, Plan, make_plan
from infra.local.postgres import keep_shards
from infra.local.refusals import StartRefused
from infra.local.supervisor import Supervisor

_DISK_LEAST = 256 * 1024 * 1024


class DiskFull(StartRefused):
    """There is no room to start; the message names the place."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor tells its starter, a JSON line each: progress, ready or failed."""

    kind: str
    text: str


class Stack:
    """The running stack of one home."""

    def __init__(
        self, home: Home, options: Options, own: OwnServers, say: Callable[[str], None]
    ) -> None:
        self._home = home
        self._options = options
        self._own = own
        self._say = say
        self._plan: Plan | None = None
        self._supervisor: Supervisor | None = None
        self._state = "starting"

    async def run(self, stop: asyncio.Event, ready: Callable[[StackFile], None]) -> None:
        """Starts, calls `ready`, and runs until `stop` is set. Every way out stops every part.

        Raises what kept it from starting or going on; all of them say so in words for people.
        """
        check_disk(self._home.path)
        if self._own.postgres_urls is None:
            keep_shards(self._home, self._options.shards)
        set_clock(self._home, self._options.clock)
        plan = self._plan = make_plan(self._home, self._options, self._own, self._prepare)
        supervisor = self._supervisor = Supervisor(
            plan.parts, plan.steps, self._say, self._describe
        )

        def all_ready() -> None:
            self._state = "running"
            ready(self._describe())

        try:
            await _unless(stop, supervisor.run(all_ready))
        finally:
            self._state = "stopping"
            await supervisor.stop()
            self._home.stack_file.unlink(missing_ok=True)

    def _prepare(self, stores: StoreAddresses) -> None:
        # Imported on this thread, while the processes that need no database start.
        from infra.local.databases import prepare_databases
        from infra.local.search_index import build_search_index

        embedded = self._own.postgres_urls is None
        prepare_databases(self._home, stores, embedded, self._own.region, self._options.symbols)
        build_search_index(stores, f"file://{self._home.clock}")

    def _describe(self) -> StackFile:
        """Writes and gives what runs now."""
        if self._plan is None or self._supervisor is None:
            raise RuntimeError("there is no stack to describe before it was planned")
        file = StackFile(
            home=str(self._home.path),
            supervisor=os.getpid(),
            state=self._state,
            api=self._plan.api,
            stream=self._plan.stream,
            exchange=self._plan.exchange,
            bank=self._plan.bank,
            clock=f"file://{self._home.clock}",
            region=self._own.region,
            stores=self._plan.stores,
            parts=[running.show() for running in self._supervisor.running],
        )
        self._home.write(self._home.stack_file, msgspec.json.encode(file))
        return file


def run_stack(
    home: Home,
    options: Options,
    say: Callable[[str], None],
    ready: Callable[[StackFile], None],
    starter: int | None = None,
) -> None:
    """Runs the stack until SIGINT, SIGTERM, or the end of `starter`, a pipe's descriptor.

    Must be called on the main thread: the parts are told when that thread dies. Raises
    AlreadyRunning, and whatever kept the stack from starting.
    """
    os.umask(0o077)  # what the parts write is their owner's alone, too
    home.create()
    own = OwnServers.from_environment()
    with HomeLock(home):
        asyncio.run(_run(Stack(home, options, own, say), ready, starter))


def check_disk(path: Path) -> None:
    """Raises DiskFull when less than 256 MiB are left where the state lives."""
    free = shutil.disk_usage(path).free
    if free < _DISK_LEAST:
        raise DiskFull(
            f"{path} has {free // 2**20} MiB left; Outcry needs {_DISK_LEAST // 2**20} MiB. "
            "Make room, or name another folder with OUTCRY_HOME"
        )


async def _run(stack: Stack, ready: Callable[[StackFile], None], starter: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if starter is not None:
        loop.add_reader(starter, _until_end, starter, stop)
    await stack.run(stop, ready)


def _until_end(starter: int, stop: asyncio.Event) -> None:
    if not os.read(starter, 1024):
        asyncio.get_running_loop().remove_reader(starter)
        stop.set()


async def _unless(stop: asyncio.Event, work: Coroutine[object, object, None]) -> None:
    """Runs `work` until it is done or `stop` is set. Raises what it raises."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    else:
        task.result()


def main() -> int:
    """`python -m infra.local.main HOME OPTIONS`: the supervisor of a terminal, told by a pipe.

    Standard input ends when the terminal does; standard output carries Events.
    """
    home, options = Home(Path(sys.argv[1])), msgspec.json.decode(sys.argv[2], type=Options)

    def tell(kind: str, text: str) -> None:
        line = msgspec.json.encode(Event(kind=kind, text=text)) + b"\n"
        with contextlib.suppress(BrokenPipeError):  # the end of standard input says the same
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    try:
        run_stack(
            home,
            options,
            say=lambda line: tell("progress", line),
            ready=lambda file: tell("ready", file.api),
            starter=sys.stdin.fileno(),
        )
    except Exception as error:  # noqa: BLE001 - the starter shows it; this process has no terminal
        tell("failed", str(error) or repr(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
