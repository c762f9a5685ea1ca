"""A fanout node with a ledger that it shares with others: each user has as many events as Valkey
counts.

`python -m tests.support.shared_node VALKEY PORT`
"""

import asyncio
import sys
from collections.abc import Sequence

import redis
import uvloop

from edge.fanout.limits import Limits
from functions.shared.wire.events import UserEvent
from tests.support.eventually import until
from tests.support.fanout import event
from tests.support.fanout_node import Ledger, Node

COMMITTED = "committed"


class SharedLedger(Ledger):
    """Every user's log has the same length, and goes on when a node is gone."""

    def __init__(self, valkey_url: str) -> None:
        super().__init__()
        self._valkey = redis.Redis.from_url(valkey_url)

    def latest_all(self, user_ids: Sequence[int]) -> list[int]:
        return [self._latest()] * len(user_ids)

    def after(self, user_id: int, seq: int, count: int) -> list[UserEvent]:
        most = min(self._latest(), seq + count)
        return [event(number, user_id) for number in range(seq + 1, most + 1)]

    def _latest(self) -> int:
        return int(self._valkey.get(COMMITTED) or 0)


async def serve(valkey_url: str, port: int) -> None:
    # All clients of a test come from one address.
    limits = Limits(connections_per_address=12_000)
    node = Node(valkey_url, limits, ledger=SharedLedger(valkey_url))
    subscribing = asyncio.create_task(node.subscriber.run())
    await until(lambda: node.subscriber.connected)
    await node.server.listen("127.0.0.1", port)
    await subscribing


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
