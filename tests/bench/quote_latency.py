"""`quote_latency`: from a price's publication until a client had it or a newer one, p99.

100,000 updates a second go through a real Valkey to the shipped fanout process: 2,000 symbols, each
in every batch of 20 ms. CONNECTIONS clients watch 20 symbols each and get the newest of each in at
most one write per 100 ms, which is most of the figure. No load that the process can't carry: what
it does beyond that is told by `fanout`.
"""

from typing import Any

from tests.bench.fanout import facts_of, measure_outcry, require_files
from tests.bench.market import BATCH_SECONDS, BUSY_SYMBOLS, publish_at_full_rate

CONNECTIONS = 1_000


def run(seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """The stage."""
    require_files(connections)
    report, told = measure_outcry(seconds, connections, publish_at_full_rate)
    return {
        "name": "quote_latency",
        "figure": report.age_ms["p99_ms"],
        "unit": "ms p99 from publication to client",
        "baselines": [],
        "updates_per_second": BUSY_SYMBOLS / BATCH_SECONDS,
        **facts_of(report),
        **told,
    }
