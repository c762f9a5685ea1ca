"""What a new stack is filled with: the instrument master, the secrets and the demo user.

Invariant: seeding again changes nothing but instruments whose facts changed here, and what
`--symbols` lists for as long as the stack is started with it. What a list was imported of is left
as the list has it, and a share that the master has by another token is not listed again.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from functions.shared.stores.postgres import Database
from infra.exchange.instruments import (
    Instrument,
    invented,
    nifty_500,
    read_listing,
    with_more,
)
from infra.local.migrations import FOLDER

_PRICE_UNITS = 10_000
#: Tokens of load shares come behind this one.
_LOAD_TOKEN = 900_000

_UPSERT = """
INSERT INTO market.instrument AS known (token, exchange, symbol, name, isin, sector, kind, tick,
  lot, band_percent, previous_close, series, freeze_quantity, closing_auction, listed_on)
SELECT token, exchange, symbol, name, isin, sector, kind, tick, lot, band_percent, previous_close,
  series, freeze_quantity, closing_auction, listed_on
FROM jsonb_populate_recordset(NULL::market.instrument, CAST(:rows AS jsonb)) row
WHERE NOT EXISTS (SELECT FROM market.instrument other WHERE other.exchange = row.exchange
  AND other.token <> row.token
  AND (other.symbol = row.symbol OR other.isin <> '' AND other.isin = row.isin))
ON CONFLICT (token) DO UPDATE SET
  exchange = excluded.exchange, symbol = excluded.symbol, name = excluded.name,
  isin = excluded.isin, sector = excluded.sector, kind = excluded.kind, tick = excluded.tick,
  lot = excluded.lot, band_percent = excluded.band_percent,
  previous_close = excluded.previous_close, series = excluded.series,
  freeze_quantity = excluded.freeze_quantity, closing_auction = excluded.closing_auction,
  listed_on = excluded.listed_on
WHERE (known.exchange, known.symbol, known.name, known.isin, known.sector, known.kind, known.tick,
  known.lot, known.band_percent, known.previous_close, known.series, known.freeze_quantity,
  known.closing_auction, known.listed_on) IS DISTINCT FROM (excluded.exchange, excluded.symbol,
  excluded.name, excluded.isin, excluded.sector, excluded.kind, excluded.tick, excluded.lot,
  excluded.band_percent, excluded.previous_close, excluded.series, excluded.freeze_quantity,
  excluded.closing_auction, excluded.listed_on)
  AND NOT EXISTS (SELECT FROM market.dated_fact d WHERE d.token = known.token)
"""
_UNLIST = "DELETE FROM market.instrument WHERE token > CAST(:last AS integer)"

_Facts = dict[str, object]


def seed_instruments(
    owner_urls: Sequence[str], path: Path | None = None, symbols: int | None = None
) -> int:
    """Puts the list into shard 0's master, as the databases' owner. Returns how many it names.

    Without a `path` of one's own: what the exchange trades, up to so many `symbols`, and the rest
    of the NIFTY 500 without a price, which is known and found and takes no orders.
    """
    with (path or FOLDER / "instruments.csv").open(newline="") as file:
        rows = [_typed(row) for row in csv.DictReader(file)]
    if path is None:
        rows = [*_with_day_of_listing(rows), *_more(symbols)]
    database = Database(owner_urls[0], "seed")
    try:
        with database.transaction():
            database.run(_UPSERT, rows=json.dumps(rows))
            last = max(_LOAD_TOKEN, *(int(str(row["token"])) for row in rows))
            database.run(_UNLIST, last=last)
    finally:
        database.close()
    return len(rows)


def _with_day_of_listing(rows: Iterable[_Facts]) -> Iterator[_Facts]:
    listed_on = {share.symbol: share.listed_on for share in nifty_500()}
    for row in rows:
        yield row | {"listed_on": listed_on.get(str(row["symbol"]))}


def _more(symbols: int | None) -> Iterator[_Facts]:
    """What is beyond the list: the other shares of the NIFTY 500, whether or not the exchange
    trades them, and the load shares that it adds."""
    listing = read_listing()
    trades = {share.symbol: share for share in with_more(listing, symbols).instruments}
    there = {listed.symbol for listed in listing.instruments}
    for symbol in there:
        del trades[symbol]
    for number, share in enumerate(nifty_500(), 1):
        if share.symbol not in there:
            traded = trades.pop(share.symbol, None)
            facts = _facts(int(share.token), traded or invented(number, share))
            facts |= {"series": share.series, "listed_on": share.listed_on}
            yield facts if traded else facts | {"previous_close": 0}
    for number, load in enumerate(trades.values(), 1):
        yield _facts(_LOAD_TOKEN + number, load)


def _facts(token: int, share: Instrument) -> _Facts:
    return {
        "token": token,
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


def _typed(row: Mapping[str, str]) -> _Facts:
    """Prices as whole ten-thousandths of a rupee; counts as integers; Y as true; else text."""
    values: _Facts = dict(row)
    for name in ("tick", "previous_close"):
        scaled = Decimal(row[name]) * _PRICE_UNITS
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{row['symbol']}: {name} {row[name]} has more than four decimals")
        values[name] = int(scaled)
    for name in ("token", "lot", "band_percent", "freeze_quantity"):
        values[name] = int(row[name])
    values["closing_auction"] = row["closing_auction"] == "Y"
    return values
