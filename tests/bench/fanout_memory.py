"""`fanout_memory`: resident bytes that a connection with 20 symbols adds to a fanout process.

The process is the shipped one, under the load of `fanout` with fewer connections: each has its
account, its 20 holdings and its frames on their way. What the process held before the first of them
came is not counted.

Baseline: `websockets`' own server with the same subscriptions and payloads, on as many clients as
it keeps up with.
"""

from typing import Any

from tests.bench.fanout import facts_of, measure_broadcast, measure_outcry, require_files

CONNECTIONS = 5_000
WINDOW_SECONDS = 5.0


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage; a window of WINDOW_SECONDS is enough for bytes."""
    require_files(connections)
    ours, _ = measure_outcry(min(seconds, WINDOW_SECONDS), connections)
    found, plain = facts_of(ours), facts_of(measure_broadcast(min(seconds, WINDOW_SECONDS)))
    return {
        "name": "fanout_memory",
        "figure": found["connection_bytes"],
        "unit": "bytes/connection",
        "baselines": [{"name": "websockets.asyncio.server", "figure": plain["connection_bytes"]}],
        "connections": found["connections"],
        "resident_bytes": found["resident_bytes"],
    }
