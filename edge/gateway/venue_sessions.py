"""Which FIX sessions the gateway holds at the venue.

Invariant: a session's number (0-based) is its place in the list, which decides the symbols whose
orders it carries; its name at the venue and its version of FIX never change.
"""

from typing import NamedTuple

VENUE = "XNSE"
FIX44 = "FIX.4.4"


class VenueSession(NamedTuple):
    """`name` is our SenderCompID(49)."""

    name: str
    version: str = FIX44


DROP_COPY = VenueSession("OUTCRY-D1")


def order_sessions(count: int) -> tuple[VenueSession, ...]:
    """`OUTCRY-O1`, `OUTCRY-O2`, ... in FIX 4.4."""
    return tuple(VenueSession(f"OUTCRY-O{number}") for number in range(1, count + 1))
