"""What the exchange lists: one row of market.csv per symbol, checked when it is read.

Invariant: every reference price is a multiple of its tick, and the band's two ends are too, so that
a price inside the band and on the tick is always one the book accepts.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from infra.exchange.prices import parse_price

MARKET_FILE = Path(__file__).with_name("market.csv")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable share. Prices in 1/10,000 rupee; `index_weight` in 1/10 per cent of the index."""

    symbol: str
    name: str
    isin: str
    sector: str
    reference_price: int
    tick: int
    band_percent: int
    lot: int
    index_weight: int

    def band(self, previous_close: int) -> tuple[int, int]:
        """Return the lowest and highest price allowed on a day that follows `previous_close`.

        The ends are rounded inwards to the tick. NSE starts the dynamic band of shares that have
        derivatives at 10 per cent (SEBI circular of 24 May 2024); it does not flex here.
        """
        width = previous_close * self.band_percent // 100
        low = -(-(previous_close - width) // self.tick) * self.tick
        high = (previous_close + width) // self.tick * self.tick
        return max(low, self.tick), high


@dataclass(frozen=True, slots=True)
class Index:
    """A price index: published, never traded. Its level is in 1/10,000 point."""

    symbol: str
    name: str
    reference_price: int
    tick: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All that is listed, in the file's order."""

    instruments: tuple[Instrument, ...]
    index: Index


def read_listing(path: Path = MARKET_FILE) -> Listing:
    """Read and check the instrument file; ValueError names the row that is wrong."""
    instruments: list[Instrument] = []
    index: Index | None = None
    with path.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            price, tick = parse_price(row["reference_price"]), parse_price(row["tick"])
            if price <= 0 or tick <= 0 or price % tick:
                raise ValueError(f"{path.name}: {row['symbol']}: price is not a multiple of tick")
            if row["sector"] == "Index":
                index = Index(row["symbol"], row["name"], price, tick)
                continue
            instruments.append(
                Instrument(
                    symbol=row["symbol"],
                    name=row["name"],
                    isin=row["isin"],
                    sector=row["sector"],
                    reference_price=price,
                    tick=tick,
                    band_percent=int(row["band_percent"]),
                    lot=int(row["lot"]),
                    index_weight=parse_price(row["index_weight"]) // 1000,
                )
            )
    if index is None or not instruments:
        raise ValueError(f"{path.name}: needs at least one share and one index")
    return Listing(tuple(instruments), index)
