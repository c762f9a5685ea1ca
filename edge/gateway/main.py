"""`python -m edge.gateway.main`: a thread for each task around the FIX engine.

    order streams -> orders_in -> outbound -> session -> venue
    venue -> session -> inbox -> reports_out -> executions streams
    keeper: ledger -> checkpoint -> session        sweep: ledger -> outbound
    mass-status: the venue's open orders against the ledger's, after each logon
    routes: which sessions are up -> Valkey -> functions
    drop-copy: the venue's second word on every fill against the ledger's

Invariant: nothing here is the only copy of an order or a fill; a kill at any moment is recovered
from the ledger and the venue. The sessions are held by a lease, for which a standby waits before
it makes any of this.
"""

import gc
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from edge.gateway.drop_copy import DropCopy
from edge.gateway.inbox import Inbox
from edge.gateway.keeper import Keeper
from edge.gateway.mass_status import MassStatus
from edge.gateway.message_log import MessageLog
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.orders_in import GROUP, OrdersIn
from edge.gateway.outbound import Outbound
from edge.gateway.positions import Positions
from edge.gateway.reports_out import ReportsOut
from edge.gateway.round_trips import RoundTrips
from edge.gateway.routes import RouteTeller
from edge.gateway.session import HEARTBEAT_SECONDS, FixSessions
from edge.gateway.sweep import Sweep
from edge.gateway.venue_sessions import DROP_COPY, Venue, order_sessions
from edge.runtime.health import State, serve_health
from edge.runtime.lease import Lease, holder_of
from edge.runtime.log import configure_logging
from edge.runtime.stream_lag import StreamLag
from edge.runtime.threads import Threads
from functions.shared.clock import open_clock, wall_now
from functions.shared.settings import StreamSettings, split_address
from functions.shared.stores.fill_copies import FillCopies, LedgerFillCopies
from functions.shared.stores.fix_checkpoint import Checkpoint, LedgerCheckpoint
from functions.shared.stores.leases import Leases, LedgerLeases
from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import streams_of
from functions.shared.stores.valkey import open_valkey
from functions.shared.stores.venue_review import LedgerVenueReview, VenueReview

#: The engine connects at once what is resumed when it starts, and the others in its next second.
RESUME_SECONDS = 1.0


class GatewaySettings(StreamSettings, frozen=True, kw_only=True):
    """What the order gateway reads at start."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    venue_orders: str
    fix_state: str
    fix_log: str
    health: str
    instance: str | None = None
    clock: str = "real"
    order_sessions: int = 2
    fix_sessions: tuple[str, ...] = ()
    venue_orders_tls: str | None = None
    fix_tls: str | None = None
    fix_heartbeat: int = HEARTBEAT_SECONDS
    drop_copy: bool = False
    fix_cancel_unowned: bool = True
    execution_partitions: int = 4


@dataclass(frozen=True)
class Ledger:
    """How the gateway's threads reach the ledger; each opens connections of its own, and writes
    under the fence it is given."""

    leases: Callable[[], Leases]
    checkpoint: Callable[[int], Checkpoint]
    review: Callable[[int], VenueReview]
    copies: Callable[[int], FillCopies]


def run(settings: GatewaySettings, ledger: Ledger, registry: CollectorRegistry = REGISTRY) -> int:
    """Runs until a signal, or until another process took the sessions; returns the exit code."""
    threads = Threads()
    threads.stop_on_signals()
    lines = order_sessions(settings.order_sessions, settings.fix_sessions)
    held = [*lines, DROP_COPY] if settings.drop_copy else lines
    lease = Lease(ledger.leases(), [line.name for line in held], holder_of(settings.instance))
    states: list[State] = [lease.state]
    health = serve_health(settings.health, "gateway", lambda: states[-1](), registry)
    code = 0
    if lease.take(threads.stop):
        code = _work(settings, ledger, lease, threads, registry, states)
        lease.give_up()
    health.close()
    return code


def _work(
    settings: GatewaySettings,
    ledger: Ledger,
    lease: Lease,
    threads: Threads,
    registry: CollectorRegistry,
    states: list[State],
) -> int:
    """As the holder of the sessions, until the threads stop; returns the exit code."""
    metrics, inbox = GatewayMetrics(registry), Inbox()
    venue = _venue(settings)
    lines = order_sessions(settings.order_sessions, settings.fix_sessions)
    names = [line.name for line in (*lines, DROP_COPY)]
    message_log = MessageLog(Path(settings.fix_log), names, wall_now)
    sessions = FixSessions(
        venue, Path(settings.fix_state), lines, inbox, metrics, message_log, threads.fail,
        lease.held, settings.fix_heartbeat,
    )  # fmt: skip
    round_trips = RoundTrips(sessions.names, sessions.send, metrics)
    sessions.watch_sent(round_trips.sent)
    outbound = Outbound(sessions, round_trips, metrics, open_clock(settings.clock).now)
    positions = [Positions() for _ in lines]
    sweep = Sweep(ledger.checkpoint(lease.fence), outbound)
    keeper = Keeper(sessions, positions, ledger.checkpoint(lease.fence), round_trips, metrics)
    mass_status = MassStatus(
        lines, outbound, positions, ledger.review(lease.fence), metrics, wall_now,
        cancel_unowned=settings.fix_cancel_unowned,
    )  # fmt: skip
    routes = RouteTeller(
        sessions.names, open_valkey(settings.valkey_url), wall_now, lease.held, round_trips.hung
    )
    for watcher in (mass_status.changed, routes.changed, round_trips.changed):
        sessions.watch(watcher)
    reports = ReportsOut(
        sessions.names, inbox, streams_of(settings), positions,
        settings.execution_partitions, outbound, sweep, mass_status, round_trips, metrics,
        keeper.session_down,
    )  # fmt: skip
    streams = streams_of(settings)
    lag = StreamLag(streams, GROUP, registry)
    orders = OrdersIn(streams, sessions, outbound, lag, lease.held)
    bodies: list[tuple[str, Callable[[threading.Event], None]]] = [
        ("lease", lease.keep),
        ("keeper", keeper.run),
        ("reports", reports.run),
        ("orders", orders.run),
        ("sweep", sweep.run),
        ("mass-status", mass_status.run),
        ("routes", routes.run),
        ("message-log", message_log.run),
    ]
    engines = [sessions]
    if settings.drop_copy:
        copying, drop_copy = _drop_copy(settings, ledger, lease, message_log, metrics, threads)
        engines.append(copying)
        bodies.append(("drop-copy", drop_copy.run))
    states.append(partial(_state_of, (keeper.state, orders.state, reports.state)))
    for name, body in bodies:
        threads.start(name, partial(body, threads.stop))
    keeper.resumed.wait(RESUME_SECONDS)
    for engine in engines:
        engine.start()
    # What start-up made lives on, and to look through it holds every order up for tens of ms.
    gc.freeze()
    threads.stop.wait()
    for engine in engines:
        engine.close()
    code = threads.wait()
    message_log.close()
    return code


def _state_of(parts: Sequence[State]) -> tuple[bool, str]:
    """Ready while each part is; if not, why."""
    told = [state() for state in parts]
    return all(ready for ready, _ in told), "; ".join(why for ready, why in told if not ready)


def _drop_copy(
    settings: GatewaySettings,
    ledger: Ledger,
    lease: Lease,
    message_log: MessageLog,
    metrics: GatewayMetrics,
    threads: Threads,
) -> tuple[FixSessions, DropCopy]:
    """The drop-copy session, in an engine of its own, and what is made of it."""
    inbox = Inbox()
    state = Path(settings.fix_state) / "drop-copy"
    line = DROP_COPY._replace(tls=settings.fix_tls is not None)
    sessions = FixSessions(
        _venue(settings), state, [line], inbox, metrics, message_log, threads.fail,
        lease.held, settings.fix_heartbeat,
    )  # fmt: skip
    return sessions, DropCopy(
        sessions,
        inbox,
        ledger.checkpoint(lease.fence),
        ledger.copies(lease.fence),
        ledger.review(lease.fence),
        streams_of(settings),
        settings.execution_partitions,
        metrics,
        open_clock(settings.clock).now,
        wall_now,
    )


def _venue(settings: GatewaySettings) -> Venue:
    """Raises SettingsError for an address that is none."""
    secure = settings.venue_orders_tls
    return Venue(
        split_address(settings.venue_orders),
        None if secure is None else split_address(secure),
        None if settings.fix_tls is None else Path(settings.fix_tls),
    )


def main() -> int:
    settings = GatewaySettings.from_environment()
    configure_logging("gateway", settings.log_level)

    def shards() -> Shards:
        return Shards(settings.postgres_urls, "gateway")

    ledger = Ledger(
        leases=lambda: LedgerLeases(shards().control),
        checkpoint=lambda fence: LedgerCheckpoint(shards(), fence),
        review=lambda fence: LedgerVenueReview(shards(), fence),
        copies=lambda fence: LedgerFillCopies(shards(), DROP_COPY.name, fence),
    )
    return run(settings, ledger)


if __name__ == "__main__":
    sys.exit(main())
