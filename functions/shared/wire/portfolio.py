"""A user's books as the fanout values them: the ledger -> fanout. JSON within a row.

Invariant: all of it is the account as of event `seq`, and nothing of a later one.
"""

import msgspec

from functions.shared.wire.events import HoldingFacts, PositionFacts


class PortfolioFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Money in paise. `short_delivery`: what was debited as the valuation of shares that were sold
    and not delivered, which comes back when they are closed out. `positions` are the trade date's
    of delivery and intraday, and intraday ones that are still open of a day before."""

    seq: int
    cash: int
    borrowed: int
    short_delivery: int
    holdings: list[HoldingFacts]
    positions: list[PositionFacts]


_holdings = msgspec.json.Decoder(list[HoldingFacts])
_positions = msgspec.json.Decoder(list[PositionFacts])


def decode_holdings(text: str) -> list[HoldingFacts]:
    return _holdings.decode(text)


def decode_positions(text: str) -> list[PositionFacts]:
    return _positions.decode(text)
