"""What a new stack is filled with: the instrument master, the secrets and the demo user.

Invariant: seeding again changes nothing but instruments whose facts changed.
"""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from functions.shared.stores.postgres import Database
from infra.local.migrations import FOLDER

_PRICE_UNITS = 10_000

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
WHERE known IS DISTINCT FROM excluded
"""


def seed_instruments(owner_urls: Sequence[str], path: Path = FOLDER / "instruments.csv") -> int:
    """Puts the list into shard 0's master, as the databases' owner. Returns how many it names."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    database = Database(owner_urls[0], "seed")
    try:
        with database.transaction():
            for row in rows:
                database.run(_UPSERT, **_typed(row))
    finally:
        database.close()
    return len(rows)


def _typed(row: dict[str, str]) -> dict[str, object]:
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
