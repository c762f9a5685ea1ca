"""What the exchange lists: one row of market.csv per symbol, checked when it is read, and what it
can list beyond: the shares of the NIFTY 500, at invented prices, then shares of no company.

Invariant: every reference price is a positive multiple of its tick, and each symbol is listed once.

nifty500.csv holds facts of 4 September 2026: the index's members, their series and NSE's names of
their industries, made shorter; ISINs and days of listing are of NSE's list of equities of 10 July
2026. `token` is ours, and stays with its share.
"""

import csv
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from infra.exchange.prices import parse_price
from infra.exchange.schedule import SecurityClass

MARKET_FILE = Path(__file__).with_name("market.csv")
_LOAD_PRICE, _LOAD_STEP, _LOAD_TICK = 1_000_000, 50_000, 500
_LOAD_PRICES = 400
NIFTY_500_FILE = Path(__file__).with_name("nifty500.csv")
#: The tick below each price, in 1/10,000 rupee (NSE, since 15 April 2025).
_TICKS: Final = ((2_500_000, 100), (10_000_000, 500), (50_000_000, 1_000))


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


class KnownShare(NamedTuple):
    """What is known of a share whether or not it trades here; `listed_on` as ISO 8601 has it."""

    token: str
    symbol: str
    name: str
    isin: str
    series: str
    sector: str
    listed_on: str


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
            reference_price=_invented_price(number),
            tick=_LOAD_TICK,
            band_percent=20,
            lot=1,
            index_weight=0,
            derivatives=False,
        )
        for number in range(1, count + 1)
    )


def nifty_500() -> tuple[KnownShare, ...]:
    """Return the index's shares in the order of their symbols."""
    with NIFTY_500_FILE.open(newline="", encoding="utf-8") as rows:
        return tuple(KnownShare(**row) for row in csv.DictReader(rows))


def invented(number: int, share: KnownShare) -> Instrument:
    """Return the share as it trades here: nothing but its name is the company's."""
    price = _invented_price(number)
    return Instrument(
        symbol=share.symbol,
        name=share.name,
        isin=share.isin,
        sector=share.sector,
        reference_price=price,
        tick=next(tick for below, tick in _TICKS if price < below),
        band_percent=20,
        lot=1,
        index_weight=0,
        derivatives=False,
    )


def with_more(listing: Listing, symbols: int | None) -> Listing:
    """Return the listing with as many more shares as make it `symbols` long, the index included:
    of the NIFTY 500 first, then load shares; as it is when it is that long already, or for None.
    """
    missing = max(0, (symbols or 0) - len(listing.instruments) - 1)
    there = {share.symbol for share in listing.instruments}
    known = (
        invented(number, share)
        for number, share in enumerate(nifty_500(), 1)
        if share.symbol not in there
    )
    added = tuple(islice(known, missing))
    added += load_shares(missing - len(added))
    return replace(listing, instruments=listing.instruments + added)


def _invented_price(number: int) -> int:
    return _LOAD_PRICE + number % _LOAD_PRICES * _LOAD_STEP
