"""Every bound of the stream, each of them a setting. bounds.md says what happens at each.

Invariant: nothing here is unbounded, and no bound of a client or a process stands elsewhere.
"""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from functions.shared.settings import PREFIX, Variables

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Percent = Annotated[int, Meta(ge=1, le=100)]


class Limits(Variables, frozen=True, kw_only=True):
    """Bounds of one connection and of one process. `workers` processes share a port, and each has
    all the others to itself, except `memory_bytes`, of which each has its part, and those of a user
    and of an address, which hold for all workers together."""

    prefix: ClassVar[str] = f"{PREFIX}FANOUT_"

    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    worker_silence_seconds: Seconds = 5.0
    worker_start_seconds: Seconds = 60.0
    worker_stop_seconds: Seconds = 2.0
    worker_deaths: Count = 10

    connections: Count = 12_000
    connections_per_user: Count = 100
    connections_per_address: Count = 1_000
    openings_per_second: Count = 1_000
    opening_share: Annotated[float, Meta(ge=0)] = 2.0
    accept_backlog: Count = 4_096
    retry_after_seconds: Count = 10
    handshake_seconds: Seconds = 5.0
    sign_in_seconds: Seconds = 5.0
    silence_seconds: Seconds = 60.0
    expiry_notice_seconds: Seconds = 30.0
    ended_sessions: Count = 10_000

    symbols: Count = 3_000
    message_bytes: Annotated[int, Meta(ge=1_024)] = 16 * 1024
    messages_per_second: Count = 100
    backlog: Count = 32
    errors: Count = 20
    send_buffer_bytes: Annotated[int, Meta(ge=4_096)] = 64 * 1024
    buffer_bytes: Annotated[int, Meta(ge=4_096)] = 64 * 1024
    blocked_seconds: Seconds = 5.0
    pending: Count = 1_000
    closing_seconds: Seconds = 5.0

    min_moves: Annotated[int, Meta(ge=0)] = 32
    portfolio_move: Annotated[int, Meta(ge=0)] = 1_000
    portfolio_move_basis_points: Annotated[int, Meta(ge=0)] = 50
    portfolio_reads: Count = 64
    event_reads: Count = 2
    resume_events: Count = 500
    feed_silence_seconds: Seconds = 1.5
    listing_seconds: Seconds = 5.0
    bus_connect_seconds: Seconds = 2.0
    bus_probe_seconds: Seconds = 1.0
    bus_dead_seconds: Seconds = 5.0
    bus_reread_seconds: Seconds = 30.0
    bus_pause_most_seconds: Seconds = 2.0

    drain_seconds: Seconds = 10.0
    drain_notice_seconds: Seconds = 0.25
    drain_slice_seconds: Seconds = 0.1
    drain_slice: Count = 50
    late_seconds: Seconds = 2.0
    sweep_seconds: Seconds = 300.0
    memory_bytes: Count | None = None
    memory_alarm_percent: Percent = 75
    memory_relief_percent: Annotated[int, Meta(ge=0, le=100)] = 5
    memory_seconds: Seconds = 5.0
    figures_seconds: Seconds = 30.0


DEFAULTS: Final = Limits()
