"""The instrument master's changes on shard 0, and the states that they led to.

Invariant: a change is taken out after it was handed on, so it may be handed on twice and is never
lost.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from functions.shared.stores.postgres import Database, Row
from functions.shared.stores.search_documents import Found, Listing
from functions.shared.wire.listings import ListingChange

_READ = (
    "SELECT kind, token, symbol, version FROM market.listing_change"
    " ORDER BY version LIMIT CAST(:most AS integer)"
)
_TAKE_OUT = "SELECT market.take_listing_changes_out(CAST(:versions AS bigint[]))"
_COLUMNS = "token, exchange, symbol, name, sector, kind, isin, former, market_cap, version"
_STATES = (
    f"SELECT {_COLUMNS} FROM market.instrument WHERE token = ANY(CAST(:tokens AS integer[]))"
    " AND kind <> 'DELISTED'"
)
_PAGE = (
    f"SELECT {_COLUMNS} FROM market.instrument WHERE token > CAST(:after AS integer)"
    " AND kind <> 'DELISTED'"
    " ORDER BY token LIMIT CAST(:most AS integer)"
)
_APPLY = "SELECT market.apply_dated_facts(CAST(:day AS date), CAST(:most AS integer))"
_APPLIED_MOST: Final = 1_000
#: Rows of one statement while the whole master is read.
_PAGE_ROWS: Final = 5_000


class ListingChanges:
    """`market.listing_change`, through the edge's role."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def read(self, most: int) -> list[ListingChange]:
        """The oldest, at most `most`. Raises Retryable."""
        return [
            ListingChange(kind=kind, token=token, symbol=symbol, version=version)
            for kind, token, symbol, version in self._control.run(_READ, most=most)
        ]

    def take_out(self, changes: Sequence[ListingChange]) -> None:
        """These were handed on. Raises Retryable."""
        self._control.run(_TAKE_OUT, versions=[change.version for change in changes])


def apply_dated_facts(control: Database, day: date) -> int:
    """Brings the master to a business day; how many instruments changed, of which what is left
    comes with the next call. Raises Retryable."""
    [[changed]] = control.run(_APPLY, day=day, most=_APPLIED_MOST)
    return int(changed)


def states_of(control: Database, tokens: Sequence[int]) -> dict[int, Listing]:
    """What these are now, by token; who is missing is listed no more. Raises Retryable."""
    rows = control.run(_STATES, tokens=list(tokens))
    return {row[0]: _listing(row) for row in rows}


def every_listing(control: Database) -> Iterator[Listing]:
    """The whole master in the order of its tokens, a page at a time. Raises Retryable."""
    after = -1
    while rows := control.run(_PAGE, after=after, most=_PAGE_ROWS):
        yield from map(_listing, rows)
        after = rows[-1][0]


def _listing(row: Row) -> Listing:
    token, exchange, symbol, name, sector, kind, isin, former, market_cap, version = row
    return Listing(
        found=Found(
            token=token, exchange=exchange, symbol=symbol, name=name, sector=sector, kind=kind
        ),
        version=version,
        isin=isin,
        former=tuple(former),
        market_cap=market_cap,
    )
