"""`python -m edge.gateway.main`: four threads around the FIX engine.

    order streams -> orders_in -> outbound -> session -> venue
    venue -> session -> inbox -> reports_out -> executions streams
    keeper: ledger -> checkpoint -> session        sweep: ledger -> outbound

Invariant: nothing here is the only copy of an order or a fill; a kill at any moment is recovered
from the ledger and the venue.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from edge.gateway.inbox import Inbox
from edge.gateway.keeper import Keeper
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.orders_in import OrdersIn
from edge.gateway.outbound import Outbound
from edge.gateway.positions import Positions
from edge.gateway.reports_out import ReportsOut
from edge.gateway.session import FixSessions
from edge.gateway.sweep import Sweep
from edge.runtime.health import serve_health
from edge.runtime.log import configure_logging
from edge.runtime.threads import Threads
from functions.shared.clock import open_clock
from functions.shared.settings import Settings, split_address
from functions.shared.stores.fix_checkpoint import Checkpoint, LedgerCheckpoint
from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import open_streams


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """What the order gateway reads at start."""

    postgres_urls: tuple[str, ...]
    streams_url: str
    venue_orders: str
    fix_state: str
    health: str
    clock: str = "real"
    order_sessions: int = 2
    execution_partitions: int = 4


def run(
    settings: GatewaySettings,
    open_checkpoint: Callable[[], Checkpoint],
    registry: CollectorRegistry = REGISTRY,
) -> int:
    """Runs until a signal; returns the exit code. Each thread has a checkpoint of its own."""
    metrics = GatewayMetrics(registry)
    threads = Threads()
    threads.stop_on_signals()
    inbox = Inbox()
    host, port = split_address(settings.venue_orders)
    sessions = FixSessions(
        host,
        port,
        Path(settings.fix_state),
        settings.order_sessions,
        inbox,
        metrics,
        failed=threads.fail,
    )
    outbound = Outbound(sessions, metrics, open_clock(settings.clock).now)
    positions = [Positions() for _ in range(settings.order_sessions)]
    sweep = Sweep(open_checkpoint(), outbound)
    keeper = Keeper(sessions, positions, open_checkpoint(), metrics)
    reports = ReportsOut(
        inbox,
        open_streams(settings.streams_url),
        positions,
        settings.execution_partitions,
        outbound,
        sweep,
        metrics,
        keeper.session_down,
    )
    orders = OrdersIn(open_streams(settings.streams_url), sessions, outbound)
    health = serve_health(settings.health, "gateway", keeper.state, registry)
    sessions.start()
    for name, body in (
        ("keeper", keeper.run),
        ("reports", reports.run),
        ("orders", orders.run),
        ("sweep", sweep.run),
    ):
        threads.start(name, partial(body, threads.stop))
    threads.stop.wait()
    sessions.close()
    code = threads.wait()
    health.close()
    return code


def main() -> int:
    settings = GatewaySettings.from_environment()
    configure_logging("gateway", settings.log_level)
    return run(settings, lambda: LedgerCheckpoint(Shards(settings.postgres_urls, "gateway")))


if __name__ == "__main__":
    sys.exit(main())
