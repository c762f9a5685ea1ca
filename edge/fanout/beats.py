"""What a worker tells its parent each second: that its loop turns, its health and its figures.

Invariant: a beat is one message of a SOCK_SEQPACKET pair, whole or not there at all, sent by the
loop that serves the clients; so silence means that they are not served. A parent that takes no
beats costs the worker nothing, and one that is gone ends it.
"""

import asyncio
import socket
from collections.abc import Callable

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry

from edge.runtime.health import State

BEAT_SECONDS = 1.0
#: Well above the figures of one process, and below what such a socket holds (wmem_default).
BEAT_BYTES_MAX = 128 * 1024


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric: its samples by name, labels and value."""

    name: str
    documentation: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class Beat(msgspec.Struct, frozen=True, array_like=True):
    """A worker's answer to /health, and its metrics."""

    ready: bool
    detail: str
    figures: list[Family]


_encode = msgspec.msgpack.Encoder().encode
decode_beat = msgspec.msgpack.Decoder(Beat).decode


class Beats:
    """The worker's end of the pair, whose descriptor its parent gave it."""

    def __init__(
        self, descriptor: int, state: State, orphaned: Callable[[], None],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:  # fmt: skip
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._state, self._orphaned, self._registry = state, orphaned, registry

    async def run(self) -> None:
        """Beats until cancelled; calls `orphaned` once the parent is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._hear)
        try:
            while True:
                self._send()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _send(self) -> None:
        try:
            self._socket.send(_encode(Beat(*self._state(), self._figures())))
        except BlockingIOError:
            pass  # the parent is busy: the next beat tells more than this one
        except ConnectionError:
            self._orphaned()

    def _hear(self) -> None:
        """A parent says nothing: what can be read is its end."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._orphaned()

    def _figures(self) -> list[Family]:
        return [
            Family(each.name, each.documentation, each.type, [s[:3] for s in each.samples])
            for each in self._registry.collect()
        ]
