"""Every bound and pace of ingest that isn't the feed's own, each of them a setting; ingest.md lists
them.

Invariant: nothing here is unbounded, and no bound of a session or of the process stands elsewhere.
"""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from functions.shared.settings import PREFIX, Variables

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class Limits(Variables, frozen=True, kw_only=True):
    """Of each session on each line, of the batches, and of the candles on their way."""

    prefix: ClassVar[str] = f"{PREFIX}INGEST_"

    connect_seconds: Seconds = 2.0
    logon_seconds: Seconds = 5.0
    heartbeat_seconds: Count = 1
    silence_seconds: Seconds = 3.0
    goodbye_seconds: Seconds = 0.2
    message_bytes: Annotated[int, Meta(ge=1_024, lt=10_000_000)] = 4 << 20
    symbols: Count = 20_000

    days_seconds: Seconds = 1.0
    patience_seconds: Seconds = 5.0
    end_seconds: Seconds = 10.0
    write_seconds: Seconds = 2.0

    candles_write: Count = 5_000
    candles_pause_seconds: Seconds = 1.0
    candles_pause_most_seconds: Seconds = 30.0

    @property
    def ask_seconds(self) -> float:
        """Silence after which a feed is asked for a sign of life: a heartbeat and a little, which
        by the defaults is before anybody is told that its prices are stale."""
        return 1.25 * self.heartbeat_seconds


DEFAULTS: Final = Limits()
