"""What the exchange lists: one row of market.csv per symbol, checked when it is read.

Invariant: every reference price is a positive multiple of its tick, and each symbol is listed once.
"""

import csv
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from infra.exchange.prices import parse_price
from infra.exchange.schedule import SecurityClass

MARKET_FILE = Path(__file__).with_name("market.csv")
_LOAD_PRICE, _LOAD_STEP, _LOAD_TICK = 1_000_000, 50_000, 500
_LOAD_PRICES = 400


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable share. Prices in 1/10,000 rupee; `index_weight` in 1/10 per cent of the index.

    A share that has `derivatives` has a dynamic price band and a closing auction.
    """

    symbol: str
    name: str
    isin: str
    sector: str
    reference_price: int
    tick: int
    band_percent: int
    lot: int
    index_weight: int
    derivatives: bool

    @property
    def security_class(self) -> SecurityClass:
        """Which sessions the share has."""
        return SecurityClass.CLOSING_AUCTION if self.derivatives else SecurityClass.OTHER


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


def instrument_row(share: Instrument) -> list[Any]:
    """Return a share as JSON values, for the journal."""
    return list(astuple(share))


def instrument_of(row: list[Any]) -> Instrument:
    """Read what `instrument_row` wrote."""
    return Instrument(*row)


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
                    derivatives=row["derivatives"] == "Y",
                )
            )
    if index is None or not instruments:
        raise ValueError(f"{path.name}: needs at least one share and one index")
    return Listing(tuple(instruments), index)


def load_shares(count: int) -> tuple[Instrument, ...]:
    """Return `LOAD0001` to `LOAD{count}`: shares of no company, for a market under load."""
    return tuple(
        Instrument(
            symbol=f"LOAD{number:04d}",
            name=f"Load Share {number}",
            isin="",
            sector="Load",
            reference_price=_LOAD_PRICE + number % _LOAD_PRICES * _LOAD_STEP,
            tick=_LOAD_TICK,
            band_percent=20,
            lot=1,
            index_weight=0,
            derivatives=False,
        )
        for number in range(1, count + 1)
    )


def with_load(listing: Listing, symbols: int | None) -> Listing:
    """Return the listing with as many load shares as make it `symbols` long, the index included;
    as it is when it is that long already, or for None."""
    missing = (symbols or 0) - len(listing.instruments) - 1
    return replace(listing, instruments=listing.instruments + load_shares(max(0, missing)))
