"""The venue's open orders against the ledger's. Pure.

Invariant: an order that waits for its first answer is no difference, whether the venue has it yet
or not: the sweep asks about it.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edge.gateway.translate import number_in
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.money import NotADecimal, format_price, parse_decimal, parse_price
from functions.shared.stores.venue_review import Difference, LedgerOrder

_SIDES = {"1": "BUY", "2": "SELL"}
_WORKING = frozenset({"PENDING", "OPEN", "PARTIALLY_FILLED"})


class VenueOrder(NamedTuple):
    """An open order as the venue tells it. `order_id` is 0 when its ClOrdID is none of ours;
    `price` is None for a market order."""

    tag: str
    order_id: int
    account: str
    symbol: str
    side: str
    quantity: int
    filled: int
    price: int | None

    def __str__(self) -> str:
        return _terms(self.account, self.side, self.filled, self.quantity, self.symbol, self.price)


class Found(NamedTuple):
    """A difference, and the version of the ledger's order that it is about (0: it has none)."""

    difference: Difference
    version: int


def venue_order_of(fields: Mapping[int, str]) -> VenueOrder:
    """The order in a status report (150=I). Raises PeerProtocolError."""
    try:
        tag = fields[11]
        return VenueOrder(
            tag,
            number_in(tag),
            fields[1],
            fields[55],
            _SIDES[fields[54]],
            parse_decimal(fields[38], 0),
            parse_decimal(fields[14], 0),
            parse_price(fields[44]) if 44 in fields else None,
        )
    except KeyError as error:
        raise PeerProtocolError(f"the status lacks tag {error.args[0]}, or it is no side") from None
    except NotADecimal as error:
        raise PeerProtocolError(f"the status is malformed: {error}") from None


def compare(ledger: Mapping[int, LedgerOrder], venue: Mapping[str, VenueOrder]) -> Iterator[Found]:
    """What differs. `ledger`: by number, every working order of the session and whatever it has of
    the orders in `venue`, which are by ClOrdID."""
    there = {order.order_id: order for order in venue.values() if order.order_id}
    for theirs in venue.values():
        ours = ledger.get(theirs.order_id)
        if ours is None:
            yield Found(Difference("UNKNOWN_ORDER", theirs.tag, "", str(theirs)), 0)
        elif ours.status not in _WORKING or (ours.answered and _unequal(ours, theirs)):
            yield Found(
                Difference("UNEQUAL_ORDER", theirs.tag, _said(ours), str(theirs)), ours.version
            )
    for ours in ledger.values():
        if ours.order_id not in there and ours.answered and ours.status in _WORKING:
            yield Found(Difference("LOST_ORDER", ours.tag, _said(ours), ""), ours.version)


def is_unowned(found: Found, ledger: Mapping[int, LedgerOrder]) -> bool:
    """Whether what the venue has open is no working order of ours: whatever it trades, no hold
    covers it."""
    difference = found.difference
    ours = ledger.get(number_in(difference.subject))
    return difference.kind != "LOST_ORDER" and (ours is None or ours.status not in _WORKING)


def _unequal(ours: LedgerOrder, theirs: VenueOrder) -> bool:
    here = (str(ours.user_id), ours.symbol, ours.side, ours.quantity, ours.filled)
    there = (theirs.account, theirs.symbol, theirs.side, theirs.quantity, theirs.filled)
    return here != there or theirs.price not in {None, ours.limit_price}


def _said(order: LedgerOrder) -> str:
    terms = _terms(
        str(order.user_id), order.side, order.filled, order.quantity, order.symbol,
        order.limit_price,
    )  # fmt: skip
    return f"{order.status}: {terms}"


def _terms(
    account: str, side: str, filled: int, quantity: int, symbol: str, price: int | None
) -> str:
    at = "the market" if price is None else format_price(price)
    return f"account {account} {side} {filled} of {quantity} {symbol} at {at}"
