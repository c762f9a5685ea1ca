"""The pool of worker processes, each of which runs one invocation at a time.

Invariant: a worker is leased to one request at once; one that died or ran over its time is killed
and replaced, and never answers a later request. At most WAITING_MOST requests wait for a worker;
the next is turned away.
"""

import asyncio
import multiprocessing
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess

import msgspec

from edge.runtime.log import logger
from infra.local.gateway.template import Function
from infra.local.gateway.worker import Invocation, Outcome, run_worker

WAITING_MOST = 100
#: API Gateway's own limit on an integration.
INTEGRATION_SECONDS = 29.0
_LOAD = 30.0  # seconds to import a handler's module
_RESPAWN_SECONDS = 1.0
_LENGTH = struct.Struct("!I")
# What every handler imports: loaded once, before the workers are forked from it.
_PRELOAD = [
    "infra.local.gateway.worker",
    "functions.shared.runtime.http",
    "functions.shared.stores.quotes",
]


class Overloaded(Exception):
    """Too many requests wait already."""


class FunctionFailed(Exception):
    """The function raised, or its process died. `error` is the exception's name."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error
        self.message = message


class FunctionTimedOut(Exception):
    """The function ran over its time; its process was killed."""


class Worker:
    """One process and the channel to it."""

    def __init__(
        self,
        process: BaseProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._loaded: set[str] = set()
        self.usable = True

    async def load(self, function: Function) -> None:
        """Imports the handler, as Lambda's init phase does; later calls cost nothing."""
        if function.handler not in self._loaded:
            await self._call(Invocation(function.logical_id, function.handler, "", 0, b""), _LOAD)
            self._loaded.add(function.handler)

    async def invoke(
        self,
        function: Function,
        request_id: str,
        event: bytes,
        seconds_most: float = INTEGRATION_SECONDS,
    ) -> bytes:
        """The result as JSON. Raises FunctionFailed or FunctionTimedOut.

        The function's time starts when its handler is loaded, as on Lambda.
        """
        await self.load(function)
        seconds = min(function.timeout_seconds, seconds_most)
        return await self._call(
            Invocation(function.logical_id, function.handler, request_id, seconds, event), seconds
        )

    async def _call(self, invocation: Invocation, seconds: float) -> bytes:
        body = msgspec.msgpack.encode(invocation)
        # Until it has answered, an end of any kind leaves an answer on its way: never reuse it.
        self.usable = False
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(_LENGTH.pack(len(body)) + body)
                await self._writer.drain()
                size = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))[0]
                outcome = msgspec.msgpack.decode(await self._reader.readexactly(size), type=Outcome)
        except TimeoutError:
            raise FunctionTimedOut(f"{invocation.function} took over {seconds:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise FunctionFailed("Runtime.ExitError", "the process ended") from None
        self.usable = True
        if outcome.result is None:
            raise FunctionFailed(outcome.error, outcome.message)
        return outcome.result

    def kill(self) -> None:
        self.usable = False
        self._writer.close()
        self._process.kill()

    @property
    def alive(self) -> bool:
        return self.usable and not self._reader.at_eof() and self._process.is_alive()


class Pool:
    """`size` workers. Use `start` before and `close` after."""

    def __init__(self, size: int, preload: Sequence[str] = tuple(_PRELOAD)) -> None:
        self._size = size
        # Forked from a server that has imported what all need: a worker starts in milliseconds,
        # and the server is single-threaded, as this process is not.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._idle: list[Worker] = []
        self._waiting: deque[asyncio.Future[Worker]] = deque()
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        for _ in range(self._size):
            self._idle.append(await self._spawn())

    async def warm(self, functions: Sequence[Function]) -> None:
        """Loads the functions' modules in every worker, one worker at a time."""
        for worker in list(self._idle):
            if worker not in self._idle:
                continue  # it is at work, and will load what it needs
            self._idle.remove(worker)
            try:
                for function in functions:
                    await worker.load(function)
            except (FunctionFailed, FunctionTimedOut) as error:
                logger(__name__).error("a function can't be loaded", detail=str(error))
            finally:
                self._give_back(worker)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Worker]:
        """A worker for one request. Raises Overloaded."""
        worker = await self._take()
        try:
            yield worker
        finally:
            self._give_back(worker)

    def close(self) -> None:
        """Kills the workers; requests under way get an error."""
        self._closed = True
        for task in self._replacing:
            task.cancel()
        for worker in self._idle:
            worker.kill()
        self._idle.clear()

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._replace(worker)
        if len(self._waiting) >= WAITING_MOST:
            raise Overloaded
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(turn.result())
            raise

    def _give_back(self, worker: Worker) -> None:
        if self._closed:
            worker.kill()
        elif not worker.alive:
            self._replace(worker)
        else:
            self._hand_on(worker)

    def _hand_on(self, worker: Worker) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        self._idle.append(worker)

    def _replace(self, worker: Worker) -> None:
        worker.kill()

        async def replace() -> None:
            while True:
                try:
                    spawned = await self._spawn()
                except (OSError, EOFError) as error:  # no memory or no process left, just now
                    logger(__name__).error("a worker can't be started", detail=str(error))
                    await asyncio.sleep(_RESPAWN_SECONDS)
                else:
                    self._hand_on(spawned)
                    return

        task = asyncio.create_task(replace())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _spawn(self) -> Worker:
        ours, theirs = socket.socketpair()
        try:
            process = self._context.Process(target=run_worker, args=(theirs,), daemon=True)
            await asyncio.to_thread(process.start)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()  # a process that did start reads its end and goes
            raise
        finally:
            theirs.close()
        return Worker(process, reader, writer)
