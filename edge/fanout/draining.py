"""The end of a process: every client is told, then closed in slices, within `drain_seconds`.

Invariant: nobody comes in once it has begun; each client hears at once how long it has, and all are
not sent to the other nodes in the same instant; and when the time is up no socket is left.
"""

import asyncio
import contextlib

from edge.fanout.client import DRAINING, Client
from edge.fanout.server import StreamServer

NOTICE_SECONDS = 0.25
SLICE_SECONDS = 0.1
#: No fewer at once: a small node is empty in a moment.
SLICE_LEAST = 50
#: Parts of the whole time: until the last slice, and then until what doesn't answer is aborted.
_SLICES_SHARE, _CLOSING_SHARE = 0.75, 0.15


async def drain(server: StreamServer) -> None:
    """Ends the server. Returns within about `drain_seconds`, when all connections are gone."""
    loop, limit = server.loop, server.limits.drain_seconds
    began = loop.time()
    server.stop_listening()
    slices = _slices(server.hub.clients(), limit * _SLICES_SHARE - NOTICE_SECONDS)
    for number, clients in enumerate(slices):
        millis = int((NOTICE_SECONDS + number * SLICE_SECONDS) * 1000)
        for client in clients:
            client.tell({"type": "draining", "in_ms": millis})
    for number, clients in enumerate(slices):
        due = began + NOTICE_SECONDS + number * SLICE_SECONDS
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


def _slices(clients: list[Client], seconds: float) -> list[list[Client]]:
    """The clients in as many slices as fit into the time, or fewer."""
    most = max(1, int(seconds / SLICE_SECONDS))
    size = max(SLICE_LEAST, -(-len(clients) // most))
    return [clients[start : start + size] for start in range(0, len(clients), size)]
