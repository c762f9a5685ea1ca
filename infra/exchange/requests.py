"""What a broker asks of the venue: the order messages D, F, G and H, read from their raw bytes.

Quantities and prices are read as text and become integers here; a value that is none does not raise
but is carried as `fault`, because FIX wants it answered with a reject that names the order.
"""

from dataclasses import dataclass

from infra.exchange.book import Side
from infra.exchange.prices import parse_price
from infra.exchange.reports import OrdType, TimeInForce

SOH = "\x01"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """35=D. `price` in 1/10,000 rupee, None at the market; `fault` is empty when well formed."""

    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    quantity: int
    price: int | None
    poss_dup: bool
    poss_resend: bool
    fault: str


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """35=F."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    poss_dup: bool
    poss_resend: bool


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """35=G: the whole order as it should be. `quantity` is the new total, not the open part."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    ord_type: OrdType
    quantity: int
    price: int | None
    poss_dup: bool
    poss_resend: bool
    fault: str


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """35=H."""

    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side


Request = NewOrder | CancelRequest | ReplaceRequest | StatusRequest
MESSAGE_TYPES = frozenset("DFGH")


def tags(raw: str) -> dict[int, str]:
    """Return the tags of one message without repeating groups. quickfix has checked the framing."""
    pairs = (field.partition("=") for field in raw.split(SOH) if field)
    return {int(tag): value for tag, _, value in pairs}


def parse_request(session: str, raw: str) -> Request:
    """Read one order message that passed the dictionary's check (required tags and enumerations).

    ValueError or KeyError means it did not pass that check.
    """
    message = tags(raw)
    kind, cl_ord_id = message[35], message[11]
    symbol, side = message[55], Side(message[54])
    poss_dup, poss_resend = message.get(43) == "Y", message.get(97) == "Y"
    if kind == "H":
        return StatusRequest(session, cl_ord_id, message.get(1, ""), symbol, side)
    if kind == "F":
        original = message[41]
        return CancelRequest(session, cl_ord_id, original, symbol, side, poss_dup, poss_resend)
    if kind not in MESSAGE_TYPES:
        raise ValueError(f"message type {kind!r} is not an order message")
    ord_type = OrdType(message[40])
    quantity, quantity_fault = _quantity(message[38])
    price, price_fault = _price(ord_type, message.get(44))
    fault = quantity_fault or price_fault
    if kind == "G":
        return ReplaceRequest(
            session=session,
            cl_ord_id=cl_ord_id,
            orig_cl_ord_id=message[41],
            symbol=symbol,
            side=side,
            ord_type=ord_type,
            quantity=quantity,
            price=price,
            poss_dup=poss_dup,
            poss_resend=poss_resend,
            fault=fault,
        )
    return NewOrder(
        session=session,
        cl_ord_id=cl_ord_id,
        account=message.get(1, ""),
        symbol=symbol,
        side=side,
        ord_type=ord_type,
        time_in_force=TimeInForce(message.get(59, "0")),
        quantity=quantity,
        price=price,
        poss_dup=poss_dup,
        poss_resend=poss_resend,
        fault=fault,
    )


def _quantity(text: str) -> tuple[int, str]:
    whole, _, fraction = text.partition(".")
    if len(whole) > 12 or not (whole.isascii() and whole.isdigit()) or fraction.strip("0"):
        return 0, f"OrderQty {text[:20]} is not a whole number of shares"
    return int(whole), ""


def _price(ord_type: OrdType, text: str | None) -> tuple[int | None, str]:
    if ord_type is OrdType.MARKET:
        return None, "" if text is None else "a market order has no Price"
    if text is None:
        return 0, "a limit order needs Price"
    try:
        return parse_price(text), ""
    except ValueError as error:
        return 0, f"Price: {error}"
