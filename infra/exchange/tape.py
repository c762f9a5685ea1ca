"""The public figures of one symbol's trading day: open, high, low, last, volume, previous close.

Invariant: low <= last <= high once the day has a trade; before it they are 0 and only the previous
close is known. Prices in 1/10,000 rupee.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Tape:
    """Figures of the current trade date."""

    previous_close: int
    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    last_quantity: int = 0
    volume: int = 0

    def record(self, price: int, quantity: int) -> None:
        """Count a trade, or an index level with quantity 0."""
        if not self.open:
            self.open = self.high = self.low = price
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.last = price
        self.last_quantity = quantity
        self.volume += quantity

    def roll(self, close: int) -> None:
        """Begin the next trade date after one that closed at this price; 0 when no close was made:
        then the last price is the previous close.
        """
        self.previous_close = close or self.last or self.previous_close
        self.open = self.high = self.low = self.last = self.last_quantity = self.volume = 0

    def figures(self) -> list[int]:
        """Return what the journal keeps, in the order `restore` takes it."""
        return [self.previous_close, self.open, self.high, self.low, self.last, self.volume]

    def restore(self, figures: list[int]) -> None:
        """Take figures up again after a restart in the same trade date."""
        self.previous_close, self.open, self.high, self.low, self.last, self.volume = figures
