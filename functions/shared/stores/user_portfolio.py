"""Users' cash, holdings and positions as the fanout needs them, in one question for many.

Invariant: one statement, so all of a user's answer is the account as of the same event; the edge's
role only reads here.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from functions.shared.domain.errors import Retryable
from functions.shared.stores.many_users import ask_of_users
from functions.shared.stores.postgres import Row, Shards
from functions.shared.wire.portfolio import PortfolioFacts, decode_holdings, decode_positions

#: The most holdings, and the most positions, that are read: as many as `GET /v1/portfolio` shows.
ROWS_MAX: Final = 5_000

_PORTFOLIOS = (
    "SELECT * FROM ledger.portfolios_of(:users::bigint[], :trade_date::date, :most::integer)"
)


class UserPortfolio:
    """Reads by user. Not for use by two threads at once, as `Shards` is not."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def read(self, user_id: int, trade_date: date) -> PortfolioFacts | None:
        """The books on a trade date; None when the user has no account. Raises Retryable."""
        facts = self.read_all([user_id], trade_date)[0]
        if isinstance(facts, Retryable):
            raise facts
        return facts

    def read_all(
        self, user_ids: Sequence[int], trade_date: date
    ) -> list[PortfolioFacts | Retryable | None]:
        """As `read`, of each of these users in turn."""
        rows = ask_of_users(
            self._shards, _PORTFOLIOS, user_ids, trade_date=trade_date, most=ROWS_MAX
        )
        facts = {
            user_id: _facts(row) if isinstance(row, list) else row for user_id, row in rows.items()
        }
        return [facts[user_id] for user_id in user_ids]

    def close(self) -> None:
        """Closes the connections."""
        self._shards.close()


def _facts(row: Row) -> PortfolioFacts:
    _, seq, cash, borrowed, short_delivery, holdings, positions = row
    return PortfolioFacts(
        seq=seq,
        cash=cash,
        borrowed=borrowed,
        short_delivery=short_delivery,
        holdings=decode_holdings(holdings),
        positions=decode_positions(positions),
    )
