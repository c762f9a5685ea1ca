"""The end of a process: every client is told, then closed in slices, within `drain_seconds`.

Invariant: nobody comes in once it has begun; each client hears at once how long it has, and all are
not sent to the other nodes in the same instant; and when the time is up no socket is left.
"""

import asyncio
import contextlib

from edge.fanout.client import DRAINING, Client
from edge.fanout.limits import Limits
from edge.fanout.server import StreamServer

#: Parts of the whole time: until the last slice, and then until what doesn't answer is aborted.
_SLICES_SHARE, _CLOSING_SHARE = 0.75, 0.15


async def drain(server: StreamServer) -> None:
    """Ends the server. Returns within about `drain_seconds`, when all connections are gone."""
    loop, limits, limit = server.loop, server.limits, server.limits.drain_seconds
    notice, step = limits.drain_notice_seconds, limits.drain_slice_seconds
    began = loop.time()
    server.stop_listening()
    slices = _slices(server.hub.clients(), limits)
    for number, clients in enumerate(slices):
        millis = int((notice + number * step) * 1000)
        for client in clients:
            client.tell({"type": "draining", "in_ms": millis})
    for number, clients in enumerate(slices):
        due = began + notice + number * step
        await asyncio.sleep(max(0.0, due - loop.time()))
        server.reception.close_all(clients, DRAINING, "draining")
    # Whoever had been accepted already when the listener closed.
    server.reception.close_all(server.hub.clients(), DRAINING, "draining")
    if server.connections:
        server.all_closed.clear()
        with contextlib.suppress(TimeoutError):  # those that don't answer are aborted below
            left = began + limit * (_SLICES_SHARE + _CLOSING_SHARE) - loop.time()
            await asyncio.wait_for(server.all_closed.wait(), min(left, limit * _CLOSING_SHARE))
    for connection in list(server.connections):
        connection.abort()
    server.stop_ticking()


def _slices(clients: list[Client], limits: Limits) -> list[list[Client]]:
    """The clients in as many slices as fit into the time, or fewer: a small node is empty in a
    moment."""
    seconds = limits.drain_seconds * _SLICES_SHARE - limits.drain_notice_seconds
    most = max(1, int(seconds / limits.drain_slice_seconds))
    size = max(limits.drain_slice, -(-len(clients) // most))
    return [clients[start : start + size] for start in range(0, len(clients), size)]
