"""What a user should look at: a part of a ledger event's body, and an object of the stream.

Invariant: an alert tells of something that stands in the ledger; it changes nothing by itself.
"""

from typing import Final, Literal

import msgspec

from functions.shared.clock import format_time
from functions.shared.domain.money import format_price


class AlertFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`price` in ten-thousandths of a rupee. EXIT_UNFILLED: an exit at the market that rests at its
    protected price with so many shares `remaining`. TRADE_BUSTED, TRADE_CORRECTED: the venue took
    back a trade of `quantity` shares at `price`, or says now what it was. OVERFILLED: it filled
    `quantity` more than was ordered; `price` is the order's limit. WASH_TRADING: the order's trade
    completed so many `round_trips` in a day, and until `until` (microseconds since 1970) only what
    closes is taken in the stock."""

    code: Literal["EXIT_UNFILLED", "TRADE_BUSTED", "TRADE_CORRECTED", "OVERFILLED", "WASH_TRADING"]
    order_id: int
    symbol: str
    side: str
    remaining: int = 0
    quantity: int = 0
    price: int
    round_trips: int = 0
    until: int | None = None


def render_alert(alert: AlertFacts) -> dict[str, object]:
    """As clients see it; the caller adds `type` and `user_seq`."""
    return {
        "code": alert.code,
        "order_id": str(alert.order_id),
        "symbol": alert.symbol,
        "exchange": "NSE",
        "side": alert.side,
        "remaining_quantity": alert.remaining,
        "quantity": alert.quantity,
        "price": format_price(alert.price),
        "until": None if alert.until is None else format_time(alert.until),
        "message": _message(alert),
    }


def _message(alert: AlertFacts) -> str:
    price = format_price(alert.price)
    if alert.code == "EXIT_UNFILLED":
        return (
            f"{alert.remaining} {alert.symbol} are not out yet: the order rests at {price},"
            " the protected price; change its price or cancel it"
        )
    if alert.code == "OVERFILLED":
        return (
            f"the exchange filled {alert.quantity} {alert.symbol} more than was ordered: they are"
            " booked and yours, with what they cost"
        )
    if alert.code == "WASH_TRADING":
        return (
            f"{alert.round_trips} round trips in {alert.symbol} in a day look like wash trades: for"
            " 24 hours only orders that close are taken in it, and the exchange is told"
        )
    traded = f"{alert.quantity} {alert.symbol} {_TRADED[alert.side]} at {price}"
    if alert.code == "TRADE_BUSTED":
        return f"the exchange took back the trade of {traded}: money, shares and charges are back"
    return f"the exchange corrected the trade of {traded}: it is booked anew"


_TRADED: Final = {"BUY": "bought", "SELL": "sold"}
