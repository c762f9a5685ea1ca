"""New shares in the instrument master, as the venue announces them.

Invariant: a share is added once, whoever writes it and however often; one that is listed already
stays as it is.
"""

from typing import Final, NamedTuple

from functions.shared.domain.instruments import Instrument
from functions.shared.stores.instruments import COLUMNS
from functions.shared.stores.postgres import Database

_LIST = (
    f"SELECT {COLUMNS} FROM market.list_share(:symbol, :name, :isin, :sector, :tick, :lot,"
    " :band_percent, :price)"
)
#: Tokens of shares that the venue announced (0034_listings.shard0.sql).
ANNOUNCED_TOKENS: Final = range(800_001, 900_000)
#: Tokens of shares that were imported (0211_dated_facts.shard0.sql), whether or not it has them.
IMPORTED_TOKENS: Final = range(100_001, 800_000)


class NewShare(NamedTuple):
    """A share as the venue announces it: `tick` and `price`, which its first band is of, in
    ten-thousandths of a rupee."""

    symbol: str
    name: str
    isin: str
    sector: str
    tick: int
    lot: int
    band_percent: int
    price: int


def list_share(control: Database, share: NewShare) -> Instrument:
    """The instrument that it is from now on, or was before. Raises Retryable when shard 0 doesn't
    answer."""
    return Instrument(*control.run(_LIST, **share._asdict())[0])
