"""The servers that a batch of quotes is written to: one, or the primaries of a cluster.

Invariant: a batch is one pipeline a server, all of them at once, and one server has one at a time.
What did not get through is answered with its error: never repeated here, because later values
follow. One server of a cluster that hangs holds the others up for STRAGGLER_SECONDS once, and a
layout is read anew beside the batches, which go by the old one meanwhile.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, MovedError

from functions.shared.stores.valkey_address import Node, ValkeyAddress
from functions.shared.stores.valkey_cluster import read_layout
from functions.shared.stores.valkey_slots import Layout

#: Errors after which the slots may be another node's.
_ELSEWHERE: Final = (
    MovedError, ClusterDownError, redis.ConnectionError, redis.TimeoutError, OSError,
)  # fmt: skip
#: How long a batch waits for one server when others of the cluster may have answered.
STRAGGLER_SECONDS = 0.25


class ScriptCall(NamedTuple):
    """One run of the script, all of whose keys lie in `slot`."""

    slot: int
    keys: Sequence[str]
    arguments: Sequence[Any]


_Answers: TypeAlias = list[int | Exception]
_SILENT: Final = redis.TimeoutError("the server has not answered yet")
_NOWHERE: Final = ClusterDownError("the layout of the Valkey cluster has no primary for a slot")


class ScriptServers:
    """Runs one script wherever its keys are. It connects when first used."""

    def __init__(self, url: str, script: str, timeout_seconds: float) -> None:
        self._url, self._address = url, ValkeyAddress.parse(url)
        self._script, self._timeout = script, timeout_seconds
        self._layout = None if self._address.cluster else Layout.of_one(self._address.nodes[0])
        self._servers: dict[Node, _Server] = {}
        self._reading: asyncio.Task[None] | None = None

    async def run(self, calls: Sequence[ScriptCall]) -> _Answers:
        """What each call answered, or why it did not. Raises nothing of the driver's."""
        if self._layout is None:
            await self._read_layout()
        answers: _Answers = [_NOWHERE] * len(calls)
        numbers: dict[Node, list[int]] = {}
        for number, call in enumerate(calls):
            if (node := self._primary(call.slot)) is not None:
                numbers.setdefault(node, []).append(number)
        asked = [self._server(node).run([calls[n] for n in mine]) for node, mine in numbers.items()]
        patience = STRAGGLER_SECONDS if self._address.cluster else None
        for mine, got in zip(numbers.values(), await _all_of(asked, patience), strict=True):
            for number, answer in zip(mine, got or [_SILENT] * len(mine), strict=True):
                answers[number] = answer
        if self._address.cluster and any(isinstance(answer, _ELSEWHERE) for answer in answers):
            self._read_again()
        return answers

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        for server in self._servers.values():
            await server.close()

    def _primary(self, slot: int) -> Node | None:
        return None if self._layout is None else self._layout.primary(slot)

    def _read_again(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_layout())

    async def _read_layout(self) -> None:
        """A new layout, or the last one still when nobody tells any."""
        known = list(self._servers)
        with contextlib.suppress(redis.RedisError):
            self._layout = await asyncio.to_thread(read_layout, self._address, known)

    def _server(self, node: Node) -> "_Server":
        server = self._servers.get(node)
        if server is None:
            if self._address.cluster:
                open_client = partial(redis.asyncio.Redis, **self._address.options(node))
            else:
                open_client = partial(redis.asyncio.Redis.from_url, self._url)
            # Without retries of the driver's own: a server that restarted empty must be noticed.
            client = open_client(
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
            )
            server = self._servers[node] = _Server(client, self._script)
        return server


async def _all_of(
    asked: Sequence[asyncio.Task[_Answers] | None], patience: float | None
) -> list[_Answers | None]:
    """What each gave; None for those that are not done in time, or were not asked."""
    waiting = [task for task in asked if task is not None]
    if waiting:
        await asyncio.wait(waiting, timeout=patience)
    return [task.result() if task is not None and task.done() else None for task in asked]


class _Server:
    """One server, and whether it knows the script."""

    def __init__(self, client: redis.asyncio.Redis, script: str) -> None:
        self._client, self._script = client, script
        self._loaded = ""
        self._running: asyncio.Task[_Answers] | None = None

    def run(self, calls: Sequence[ScriptCall]) -> asyncio.Task[_Answers] | None:
        """Begins these; None while it still has the ones before."""
        if self._running is not None and not self._running.done():
            return None
        self._running = asyncio.create_task(self._run(calls))
        return self._running

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
        await self._client.aclose()

    async def _run(self, calls: Sequence[ScriptCall]) -> _Answers:
        try:
            if not self._loaded:
                self._loaded = await self._client.script_load(self._script)
            pipeline = self._client.pipeline(transaction=False)
            for call in calls:
                pipeline.evalsha(self._loaded, len(call.keys), *call.keys, *call.arguments)
            answers: _Answers = await pipeline.execute(raise_on_error=False)
        except (redis.RedisError, OSError, TimeoutError) as error:
            answers = [error] * len(calls)
        if any(isinstance(answer, Exception) for answer in answers):
            self._loaded = ""  # a server that came back empty does not know it
        return answers
