"""What a new stack is filled with: the instrument master, the secrets and the demo user.

Invariant: seeding again changes nothing but instruments whose facts changed here, and load shares,
which are listed for as long as the stack is started with them. What a list was imported of is left
as the list has it.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from functions.shared.stores.postgres import Database
from infra.exchange.instruments import read_listing, with_load
from infra.local.migrations import FOLDER

_PRICE_UNITS = 10_000
#: Tokens of load shares come behind this one.
_LOAD_TOKEN = 900_000

_UPSERT = """
INSERT INTO market.instrument AS known (token, exchange, symbol, name, isin, sector, kind, tick,
  lot, band_percent, previous_close, series, freeze_quantity, closing_auction)
VALUES (:token, :exchange, :symbol, :name, :isin, :sector, :kind, :tick, :lot, :band_percent,
  :previous_close, :series, :freeze_quantity, :closing_auction)
ON CONFLICT (token) DO UPDATE SET
  exchange = excluded.exchange, symbol = excluded.symbol, name = excluded.name,
  isin = excluded.isin, sector = excluded.sector, kind = excluded.kind, tick = excluded.tick,
  lot = excluded.lot, band_percent = excluded.band_percent,
  previous_close = excluded.previous_close, series = excluded.series,
  freeze_quantity = excluded.freeze_quantity, closing_auction = excluded.closing_auction
WHERE (known.exchange, known.symbol, known.name, known.isin, known.sector, known.kind, known.tick,
  known.lot, known.band_percent, known.previous_close, known.series, known.freeze_quantity,
  known.closing_auction) IS DISTINCT FROM (excluded.exchange, excluded.symbol, excluded.name,
  excluded.isin, excluded.sector, excluded.kind, excluded.tick, excluded.lot, excluded.band_percent,
  excluded.previous_close, excluded.series, excluded.freeze_quantity, excluded.closing_auction)
  AND NOT EXISTS (SELECT FROM market.dated_fact d WHERE d.token = known.token)
"""
_UNLIST = "DELETE FROM market.instrument WHERE token > CAST(:last AS integer)"


def seed_instruments(
    owner_urls: Sequence[str],
    path: Path = FOLDER / "instruments.csv",
    symbols: int | None = None,
) -> int:
    """Puts the list into shard 0's master, as the databases' owner, and load shares up to so many
    `symbols`. Returns how many it names."""
    with path.open(newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    rows += _load_rows(symbols)
    database = Database(owner_urls[0], "seed")
    try:
        with database.transaction():
            for row in rows:
                database.run(_UPSERT, **row)
            last = max(_LOAD_TOKEN, *(int(str(row["token"])) for row in rows))
            database.run(_UNLIST, last=last)
    finally:
        database.close()
    return len(rows)


def _load_rows(symbols: int | None) -> Iterable[dict[str, object]]:
    """The shares that the exchange adds to be that long."""
    listing = read_listing()
    added = with_load(listing, symbols).instruments[len(listing.instruments) :]
    for number, share in enumerate(added, 1):
        yield {
            "token": _LOAD_TOKEN + number,
            "exchange": "NSE",
            "symbol": share.symbol,
            "name": share.name,
            "isin": share.isin,
            "sector": share.sector,
            "kind": "EQUITY",
            "tick": share.tick,
            "lot": share.lot,
            "band_percent": share.band_percent,
            "previous_close": share.reference_price,
            "series": "EQ",
            "freeze_quantity": 100_000,
            "closing_auction": share.derivatives,
        }


def _typed(row: Mapping[str, str]) -> dict[str, object]:
    """Prices as whole ten-thousandths of a rupee; counts as integers; Y as true; else text."""
    values: dict[str, object] = dict(row)
    for name in ("tick", "previous_close"):
        scaled = Decimal(row[name]) * _PRICE_UNITS
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{row['symbol']}: {name} {row[name]} has more than four decimals")
        values[name] = int(scaled)
    for name in ("token", "lot", "band_percent", "freeze_quantity"):
        values[name] = int(row[name])
    values["closing_auction"] = row["closing_auction"] == "Y"
    return values
