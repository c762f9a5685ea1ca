"""What a broker asks of the venue, read from the raw bytes of its order messages.

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
    display: int = 0


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
    """35=G: the whole order as it should be. `quantity` is the new total, not the open part;
    `display` 0 makes all of it visible.
    """

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
    display: int = 0


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """35=H."""

    session: str
    cl_ord_id: str
    account: str
    symbol: str
    side: Side


@dataclass(frozen=True, slots=True)
class MassStatusRequest:
    """35=AF: the open orders of the session; empty `symbol` or `account` means all."""

    session: str
    req_id: str
    symbol: str
    account: str


@dataclass(frozen=True, slots=True)
class MassCancelRequest:
    """35=q: cancel the session's open orders; `kind` is MassCancelRequestType(530)."""

    session: str
    cl_ord_id: str
    kind: str
    symbol: str
    account: str


@dataclass(frozen=True, slots=True)
class PhaseRequest:
    """35=g: which phase it is (the answer is a TradingSessionStatus)."""

    session: str
    req_id: str


Request = (
    NewOrder
    | CancelRequest
    | ReplaceRequest
    | StatusRequest
    | MassStatusRequest
    | MassCancelRequest
    | PhaseRequest
)
MESSAGE_TYPES = frozenset({"D", "F", "G", "H", "AF", "q", "g"})


def tags(raw: str) -> dict[int, str]:
    """Return the tags of one message without repeating groups. quickfix has checked the framing."""
    pairs = (field.partition("=") for field in raw.split(SOH) if field)
    return {int(tag): value for tag, _, value in pairs}


def parse_request(session: str, raw: str) -> Request:
    """Read one order message that passed the dictionary's check (required tags and enumerations).

    ValueError or KeyError means it did not pass that check.
    """
    message = tags(raw)
    match message[35]:
        case "D":
            return _new_order(session, message)
        case "G":
            return _replace(session, message)
        case "F":
            return CancelRequest(
                session,
                message[11],
                message[41],
                message[55],
                Side(message[54]),
                *_repeats(message),
            )
        case "H":
            account = message.get(1, "")
            return StatusRequest(session, message[11], account, message[55], Side(message[54]))
        case "AF":
            symbol, account = message.get(55, ""), message.get(1, "")
            return MassStatusRequest(session, message[584], symbol, account)
        case "q":
            symbol, account = message.get(55, ""), message.get(1, "")
            return MassCancelRequest(session, message[11], message[530], symbol, account)
        case "g":
            return PhaseRequest(session, message[335])
        case kind:
            raise ValueError(f"message type {kind!r} is not an order message")


def _new_order(session: str, message: dict[int, str]) -> NewOrder:
    ord_type = OrdType(message[40])
    quantity, quantity_fault = _quantity(message[38])
    price, price_fault = _price(ord_type, message.get(44))
    display, display_fault = _quantity(message.get(111, "0"), "MaxFloor")
    poss_dup, poss_resend = _repeats(message)
    return NewOrder(
        session=session,
        cl_ord_id=message[11],
        account=message.get(1, ""),
        symbol=message[55],
        side=Side(message[54]),
        ord_type=ord_type,
        time_in_force=TimeInForce(message.get(59, "0")),
        quantity=quantity,
        price=price,
        poss_dup=poss_dup,
        poss_resend=poss_resend,
        fault=quantity_fault or price_fault or display_fault,
        display=display,
    )


def _replace(session: str, message: dict[int, str]) -> ReplaceRequest:
    ord_type = OrdType(message[40])
    quantity, quantity_fault = _quantity(message[38])
    price, price_fault = _price(ord_type, message.get(44))
    display, display_fault = _quantity(message.get(111, "0"), "MaxFloor")
    poss_dup, poss_resend = _repeats(message)
    return ReplaceRequest(
        session=session,
        cl_ord_id=message[11],
        orig_cl_ord_id=message[41],
        symbol=message[55],
        side=Side(message[54]),
        ord_type=ord_type,
        quantity=quantity,
        price=price,
        poss_dup=poss_dup,
        poss_resend=poss_resend,
        fault=quantity_fault or price_fault or display_fault,
        display=display,
    )


def _repeats(message: dict[int, str]) -> tuple[bool, bool]:
    """PossDupFlag(43) and PossResend(97)."""
    return message.get(43) == "Y", message.get(97) == "Y"


def _quantity(text: str, field: str = "OrderQty") -> tuple[int, str]:
    whole, _, fraction = text.partition(".")
    if len(whole) > 12 or not (whole.isascii() and whole.isdigit()) or fraction.strip("0"):
        return 0, f"{field} {text[:20]} is not a whole number of shares"
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
