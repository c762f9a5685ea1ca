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
    """FIX tag 40."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class Validity(StrEnum):
    """FIX tag 59."""

    DAY = "DAY"
    IOC = "IOC"


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


class Happening(StrEnum):
    """A fact about an order, made from a venue's report (a claim) once it is accepted."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    PARTLY_FILLED = "PARTLY_FILLED"
    FULLY_FILLED = "FULLY_FILLED"
    REPLACED = "REPLACED"
    REPLACED_DOWN = "REPLACED_DOWN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


WORKING: Final = frozenset({Status.PENDING, Status.OPEN, Status.PARTIALLY_FILLED})
FINAL: Final = frozenset(Status) - WORKING

_S, _H = Status, Happening

#: {(status, happening): next status}. What isn't here doesn't happen.
TRANSITIONS: Final[dict[tuple[Status, Happening], Status]] = {
    (_S.PENDING, _H.ACKNOWLEDGED): _S.OPEN,
    (_S.PENDING, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,  # the fill overtook the acknowledgement
    (_S.PENDING, _H.FULLY_FILLED): _S.FILLED,
    (_S.PENDING, _H.REPLACED): _S.OPEN,
    (_S.PENDING, _H.CANCELLED): _S.CANCELLED,  # an IOC that found nothing
    (_S.PENDING, _H.EXPIRED): _S.EXPIRED,
    (_S.PENDING, _H.REJECTED): _S.REJECTED,
    (_S.OPEN, _H.ACKNOWLEDGED): _S.OPEN,  # said again after a reconnect
    (_S.OPEN, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.OPEN, _H.FULLY_FILLED): _S.FILLED,
    (_S.OPEN, _H.REPLACED): _S.OPEN,
    (_S.OPEN, _H.CANCELLED): _S.CANCELLED,
    (_S.OPEN, _H.EXPIRED): _S.EXPIRED,
    (_S.OPEN, _H.REJECTED): _S.REJECTED,
    (_S.PARTIALLY_FILLED, _H.ACKNOWLEDGED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.PARTLY_FILLED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.FULLY_FILLED): _S.FILLED,
    (_S.PARTIALLY_FILLED, _H.REPLACED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _H.CANCELLED): _S.CANCELLED,
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
    # A replace down to what has been filled ends the order (appendix D, D.2).
    (_S.PARTIALLY_FILLED, _H.REPLACED_DOWN): _S.FILLED,
}
