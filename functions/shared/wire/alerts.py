"""What a user should look at: a part of a ledger event's body, and an object of the stream.

Invariant: an alert tells of something that stands in the ledger; it changes nothing by itself.
"""

from typing import Final, Literal

import msgspec

from functions.shared.clock import format_time
from functions.shared.domain.money import format_price
from functions.shared.domain.price_alerts import AlertKind


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


class PriceReached(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked to be told of has come. `price`: the last trade's, in ten-thousandths of
    a rupee; `threshold` in the kind's own unit (domain.price_alerts)."""

    alert_id: int
    symbol: str
    kind: AlertKind
    threshold: int
    note: str
    price: int


class PriceAlertFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A price alert as it is after an event. Times in microseconds since 1970, the day as ISO."""

    alert_id: int
    symbol: str
    kind: AlertKind
    threshold: int
    repeats: bool
    note: str
    state: Literal["WAITING", "FIRED"]
    version: int
    created_at: int
    fired_on: str | None = None
    fired_at: int | None = None
    fired_price: int | None = None


_facts_decoder = msgspec.json.Decoder(PriceAlertFacts)


def decode_price_alert(text: str) -> PriceAlertFacts:
    """Raises msgspec.MsgspecError."""
    return _facts_decoder.decode(text)


def format_threshold(kind: AlertKind, threshold: int) -> str:
    """As people write it: rupees, percent with two places, shares."""
    if kind is AlertKind.VOLUME_ABOVE:
        return str(threshold)
    if kind in (AlertKind.CHANGE_ABOVE, AlertKind.CHANGE_BELOW):
        return f"{'-' if threshold < 0 else ''}{abs(threshold) // 100}.{abs(threshold) % 100:02d}"
    return format_price(threshold)


def what_came(kind: AlertKind, threshold: int) -> str:
    """What is asked for, behind the symbol's name: "is at 1400.00 or above"."""
    number = format_threshold(kind, threshold)
    match kind:
        case AlertKind.PRICE_ABOVE:
            return f"is at {number} or above"
        case AlertKind.PRICE_BELOW:
            return f"is at {number} or below"
        case AlertKind.CHANGE_ABOVE:
            return f"has changed by {number} % or more today"
        case AlertKind.CHANGE_BELOW:
            return f"has changed by {number} % or less today"
        case AlertKind.VOLUME_ABOVE:
            return f"has traded {number} shares or more today"


def render_reached(alert: PriceReached) -> dict[str, object]:
    """As `render_alert`."""
    note = f": {alert.note}" if alert.note else ""
    return {
        "code": "PRICE_ALERT",
        "alert_id": str(alert.alert_id),
        "symbol": alert.symbol,
        "exchange": "NSE",
        "kind": alert.kind.value,
        "threshold": format_threshold(alert.kind, alert.threshold),
        "note": alert.note,
        "price": format_price(alert.price),
        "message": f"{alert.symbol} {what_came(alert.kind, alert.threshold)}{note}",
    }


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
