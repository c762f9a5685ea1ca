"""Which broker sessions the order port has, and what each of them is for.

Invariant: a session has one CompID and one version of FIX for ever; its sequence numbers and the
reports that belong to it are found by that name.
"""

from dataclasses import dataclass
from enum import Enum

FIX44, FIX42 = "FIX.4.4", "FIX.4.2"


class Purpose(Enum):
    """Orders, or copies of the reports about all sessions' orders."""

    ORDERS = "orders"
    DROP_COPY = "drop copy"


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """`name` is the broker's SenderCompID(49)."""

    name: str
    version: str
    purpose: Purpose


def broker_sessions(orders: int, fix42: int, drop_copies: int) -> tuple[BrokerSession, ...]:
    """Return `OUTCRY-O1..` (FIX 4.4), `OUTCRY-L1..` (FIX 4.2) and `OUTCRY-D1..` (drop copies)."""
    kinds = (
        ("O", orders, FIX44, Purpose.ORDERS),
        ("L", fix42, FIX42, Purpose.ORDERS),
        ("D", drop_copies, FIX44, Purpose.DROP_COPY),
    )
    return tuple(
        BrokerSession(f"OUTCRY-{letter}{number}", version, purpose)
        for letter, count, version, purpose in kinds
        for number in range(1, count + 1)
    )
