"""A user's cash, holdings and positions as the fanout needs them, in one question.

Invariant: one statement, so all of an answer is the account as of the same event; the edge's role
only reads here.
"""

from datetime import date
from typing import Final

from functions.shared.domain.errors import NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.wire.portfolio import PortfolioFacts, decode_holdings, decode_positions

#: The most holdings, and the most positions, that are read: as many as `GET /v1/portfolio` shows.
ROWS_MAX: Final = 5_000

_PORTFOLIO = "SELECT * FROM ledger.portfolio_of(:user_id, :trade_date::date, :most)"


class UserPortfolio:
    """Reads by user. Not for use by two threads at once, as `Shards` is not."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def read(self, user_id: int, trade_date: date) -> PortfolioFacts | None:
        """The books on a trade date; None when the user has no account. Raises Retryable."""
        try:
            rows = self._shards.of_user(user_id).call(
                _PORTFOLIO, user_id=user_id, trade_date=trade_date, most=ROWS_MAX
            )
        except NotFound:
            return None
        seq, cash, borrowed, short_delivery, holdings, positions = rows[0]
        return PortfolioFacts(
            seq=seq,
            cash=cash,
            borrowed=borrowed,
            short_delivery=short_delivery,
            holdings=decode_holdings(holdings),
            positions=decode_positions(positions),
        )

    def close(self) -> None:
        """Closes the connections."""
        self._shards.close()
