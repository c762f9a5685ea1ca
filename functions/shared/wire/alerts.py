"""What a user should look at: a part of a ledger event's body, and an object of the stream.

Invariant: an alert tells of something that stands in the ledger; it changes nothing by itself.
"""

from typing import Literal

import msgspec

from functions.shared.domain.money import format_price


class AlertFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An exit at the market that rests, unfilled, at its protected `price` in ten-thousandths of a
    rupee, with so many shares `remaining`."""

    code: Literal["EXIT_UNFILLED"]
    order_id: int
    symbol: str
    side: str
    remaining: int
    price: int


def render_alert(alert: AlertFacts) -> dict[str, object]:
    """As clients see it; the caller adds `type` and `user_seq`."""
    price = format_price(alert.price)
    return {
        "code": alert.code,
        "order_id": str(alert.order_id),
        "symbol": alert.symbol,
        "exchange": "NSE",
        "side": alert.side,
        "remaining_quantity": alert.remaining,
        "price": price,
        "message": f"{alert.remaining} {alert.symbol} are not out yet: the order rests at {price},"
        " the protected price; change its price or cancel it",
    }
