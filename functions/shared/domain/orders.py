"""The life of an order: its words and its one transition table.

Invariant: a status changes only along `TRANSITIONS`; a pair that isn't there is refused. The
database holds the same rows (a test compares them) and refuses the same pairs.

Sources: FIX 4.4 volume 4, appendix D (order state changes); statuses as clients see them.
"""

from enum import StrEnum
from typing import Final


class Side(StrEnum):
    """FIX tag 54."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """A STOP waits here for a trade at its trigger or beyond, then it is a MARKET order; a
    STOP_LIMIT is then a LIMIT order. The venue is told of neither before."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


class Validity(StrEnum):
    """How long it lives: the venue's day, not at all beyond its arrival (FIX tag 59), so many
    minutes, after which we cancel it, or until cancelled: what a day leaves of it is placed again
    for the next session, up to its last day. GTT waits for a price up to a year, keeps nothing
    meanwhile, and then lives for the day."""

    DAY = "DAY"
    IOC = "IOC"
    TTL = "TTL"
    GTC = "GTC"
    GTT = "GTT"


class Variety(StrEnum):
    """AMO: an after-market order, which waits for the next session."""

    REGULAR = "REGULAR"
    AMO = "AMO"


class Product(StrEnum):
    """CNC: delivery. MIS: intraday, squared off before the day's end."""

    CNC = "CNC"
    MIS = "MIS"


class Status(StrEnum):
    """What a client sees. DENIED is ours and never left; REJECTED is the venue's."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    TRIGGER_PENDING = "TRIGGER_PENDING"


class Happening(StrEnum):
    """A fact about an order: a venue's report (a claim) once it is accepted, or, of an order that
    waits, what became of it here."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    PARTLY_FILLED = "PARTLY_FILLED"
    FULLY_FILLED = "FULLY_FILLED"
    REPLACED = "REPLACED"
    REPLACED_DOWN = "REPLACED_DOWN"
    CANCELLED = "CANCELLED"
    VENUE_CANCELLED = "VENUE_CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    RELEASED = "RELEASED"
    MODIFIED = "MODIFIED"
    DENIED = "DENIED"
    LEFT_UNFILLED = "LEFT_UNFILLED"
    LEFT_PARTLY_FILLED = "LEFT_PARTLY_FILLED"
    LEFT_FILLED = "LEFT_FILLED"
    LEFT_ENDED = "LEFT_ENDED"


AT_VENUE: Final = frozenset({Status.PENDING, Status.OPEN, Status.PARTIALLY_FILLED})
WORKING: Final = AT_VENUE | {Status.TRIGGER_PENDING}
FINAL: Final = frozenset(Status) - WORKING

_S, _H = Status, Happening

#: {(status, happening): next status}. What isn't here doesn't happen.
TRANSITIONS: Final[dict[tuple[Status, Happening], Status]] = {
    (_S.PENDING, _H.ACKNOWLEDGED): _S.OPEN,
    (_S.PENDING, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,  # the fill overtook the acknowledgement
    (_S.PENDING, _H.FULLY_FILLED): _S.FILLED,
    (_S.PENDING, _H.REPLACED): _S.OPEN,
    (_S.PENDING, _H.CANCELLED): _S.CANCELLED,
    (_S.PENDING, _H.VENUE_CANCELLED): _S.CANCELLED,  # an IOC that found nothing
    (_S.PENDING, _H.EXPIRED): _S.EXPIRED,
    (_S.PENDING, _H.REJECTED): _S.REJECTED,
    (_S.OPEN, _H.ACKNOWLEDGED): _S.OPEN,  # said again after a reconnect
    (_S.OPEN, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.OPEN, _H.FULLY_FILLED): _S.FILLED,
    (_S.OPEN, _H.REPLACED): _S.OPEN,
    (_S.OPEN, _H.CANCELLED): _S.CANCELLED,
    (_S.OPEN, _H.VENUE_CANCELLED): _S.CANCELLED,  # unmatched in the closing auction
    (_S.OPEN, _H.EXPIRED): _S.EXPIRED,
    (_S.OPEN, _H.REJECTED): _S.REJECTED,
    (_S.PARTIALLY_FILLED, _H.ACKNOWLEDGED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.FULLY_FILLED): _S.FILLED,
    (_S.PARTIALLY_FILLED, _H.REPLACED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.CANCELLED): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _H.VENUE_CANCELLED): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _H.EXPIRED): _S.EXPIRED,
    # A late acknowledgement of what has ended changes nothing.
    (_S.FILLED, _H.ACKNOWLEDGED): _S.FILLED,
    (_S.CANCELLED, _H.ACKNOWLEDGED): _S.CANCELLED,
    (_S.EXPIRED, _H.ACKNOWLEDGED): _S.EXPIRED,
    # A fill the venue made before the cancel or the expiry took hold is still a fill.
    (_S.CANCELLED, _H.PARTLY_FILLED): _S.CANCELLED,
    (_S.CANCELLED, _H.FULLY_FILLED): _S.FILLED,
    (_S.EXPIRED, _H.PARTLY_FILLED): _S.EXPIRED,
    (_S.EXPIRED, _H.FULLY_FILLED): _S.FILLED,
    (_S.FILLED, _H.FULLY_FILLED): _S.FILLED,  # more than was ordered
    # A replace down to what has been filled ends the order (appendix D, D.2).
    (_S.PARTIALLY_FILLED, _H.REPLACED_DOWN): _S.FILLED,
    # A trade was taken back or corrected: what that leaves of the order (group J). The venue says
    # whether a filled one is open again; one that was cancelled or has expired never is.
    (_S.PARTIALLY_FILLED, _H.LEFT_UNFILLED): _S.OPEN,
    (_S.FILLED, _H.LEFT_UNFILLED): _S.OPEN,
    (_S.PARTIALLY_FILLED, _H.LEFT_PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.FILLED, _H.LEFT_PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.LEFT_FILLED): _S.FILLED,
    (_S.FILLED, _H.LEFT_FILLED): _S.FILLED,
    (_S.CANCELLED, _H.LEFT_FILLED): _S.FILLED,
    (_S.EXPIRED, _H.LEFT_FILLED): _S.FILLED,
    (_S.PARTIALLY_FILLED, _H.LEFT_ENDED): _S.CANCELLED,
    (_S.FILLED, _H.LEFT_ENDED): _S.CANCELLED,
    (_S.CANCELLED, _H.LEFT_ENDED): _S.CANCELLED,
    (_S.EXPIRED, _H.LEFT_ENDED): _S.EXPIRED,
    # It waits for its trigger; the venue knows nothing of it.
    (_S.TRIGGER_PENDING, _H.RELEASED): _S.PENDING,
    (_S.TRIGGER_PENDING, _H.DENIED): _S.DENIED,  # judged again, and refused
    (_S.TRIGGER_PENDING, _H.MODIFIED): _S.TRIGGER_PENDING,
    (_S.TRIGGER_PENDING, _H.CANCELLED): _S.CANCELLED,
    (_S.TRIGGER_PENDING, _H.EXPIRED): _S.EXPIRED,
}
