"""A stop of trading, in one share or in the market, and the call auction that ends it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.exchange.phases import Phase


@dataclass(slots=True)
class Halt:
    """`symbol` is empty for the market. `phase` is HALTED until `until` (None: until it is lifted,
    the market's at the latest at the day's end), then REOPENING for the time of `auction`.
    """

    symbol: str
    until: datetime | None
    auction: timedelta
    text: str
    phase: Phase = Phase.HALTED

    def row(self) -> list[Any]:
        """Return the halt as JSON values."""
        until = self.until.isoformat() if self.until else ""
        return [self.symbol, until, self.auction.total_seconds(), self.text, self.phase.value]

    @classmethod
    def of(cls, row: list[Any]) -> "Halt":
        """Read what `row` wrote."""
        symbol, until, auction_s, text, phase = row
        instant = datetime.fromisoformat(until) if until else None
        return cls(symbol, instant, timedelta(seconds=auction_s), text, Phase(phase))
