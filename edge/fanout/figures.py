"""What a process that serves clients says of itself in the log, twice a minute.

Invariant: a line is of its own interval alone, so lines of any number of processes can be averaged
and their worst taken without knowing who wrote them. CloudWatch does so (infra/aws/edge.yaml), and
the number of nodes follows. A loop that doesn't turn writes none; /health tells of that.
"""

import asyncio

from edge.fanout.metrics import BusFigures
from edge.fanout.server import StreamServer
from edge.runtime.log import logger


async def tell_figures(server: StreamServer, bus: BusFigures) -> None:
    """Writes the line every `figures_seconds` until cancelled."""
    while True:
        await asyncio.sleep(server.limits.figures_seconds)
        tell_once(server, bus)


def tell_once(server: StreamServer, bus: BusFigures) -> None:
    """Writes the line: clients now, and in milliseconds the oldest a batch was when it came since
    the line before, 0 where none came."""
    logger(__name__).info(
        "stream figures", connections=len(server.hub), lag_ms=bus.worst_lag_us() // 1_000
    )
