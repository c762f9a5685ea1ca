"""A fanout worker with tokens and a ledger of the test's own: what a parent starts.

`python -m tests.support.fanout_worker VALKEY PORT LIMITS --worker BEATS COUNTS NUMBER`
"""

import asyncio
import signal
import sys

import msgspec
import uvloop
from prometheus_client import CollectorRegistry

from edge.fanout.beats import Beats
from edge.fanout.draining import drain
from edge.fanout.limits import Limits
from edge.fanout.metrics import BusFigures, FanoutMetrics
from edge.fanout.tally import Rows, Tally
from edge.fanout.upkeep import Upkeep
from edge.fanout.workers import Post
from tests.support.fanout_node import Node


async def serve(valkey_url: str, port: int, limits: Limits, post: Post) -> None:
    stop, registry = asyncio.Event(), CollectorRegistry()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tally = Tally(Rows(post.counts, limits.workers), post.number - 1)
    node = Node(valkey_url, limits, tally)
    metrics = FanoutMetrics(
        node.server, node.private, node.subscriber, BusFigures(), Upkeep(node.server)
    )
    registry.register(metrics)
    tasks = [
        asyncio.create_task(node.subscriber.run()),
        asyncio.create_task(Beats(post.beats, metrics.state, stop.set, registry).run()),
    ]
    await node.server.listen("127.0.0.1", port)
    await stop.wait()
    await drain(node.server)
    for task in tasks:
        task.cancel()
    node.lookups.close()


if __name__ == "__main__":
    told = msgspec.json.decode(sys.argv[3], type=Limits)
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), told, Post(*map(int, sys.argv[5:]))))
