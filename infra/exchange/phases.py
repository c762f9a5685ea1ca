"""What may be done in each phase of the trading day, as one table.

Invariant: every question "may this order enter, change or leave now, and does it trade at once?" is
answered by a row of `RULES`; no other module compares phases to decide it. Names are those that
TradingSessionID(336) carries.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Phase(StrEnum):
    """TradingSessionID(336): a phase of the day, or what a halt puts in its place."""

    CLOSED = "CLOSED"
    PRE_OPEN = "PRE_OPEN"
    PRE_OPEN_LIMIT = "PRE_OPEN_LIMIT"
    PRE_OPEN_MATCH = "PRE_OPEN_MATCH"
    CONTINUOUS = "CONTINUOUS"
    CLOSING_REFERENCE = "CLOSING_REFERENCE"
    CLOSING = "CLOSING"
    CLOSING_LIMIT = "CLOSING_LIMIT"
    CLOSING_MATCH = "CLOSING_MATCH"
    POST_CLOSE = "POST_CLOSE"
    HALTED = "HALTED"
    REOPENING = "REOPENING"


class Matching(Enum):
    """How orders meet."""

    NONE = "none"
    CONTINUOUS = "continuous"
    AUCTION = "auction"  # collected, then matched at one price when the phase ends
    AT_CLOSE = "at close"  # continuously, at the closing price alone


@dataclass(frozen=True, slots=True)
class Rules:
    """One phase. An order may be changed where one of its type may enter.

    `frozen` phases refuse to cancel a market order; `trad_ses_status` is TradSesStatus(340) and
    `security_status` SecurityTradingStatus(326), for announcements.
    """

    limit: bool
    market: bool
    matching: Matching
    trad_ses_status: str
    security_status: str
    cancel: bool = True
    frozen: bool = False

    @property
    def collects(self) -> bool:
        """Whether orders wait here for an auction."""
        return self.matching is Matching.AUCTION

    @property
    def continuous(self) -> bool:
        """Whether IOC and disclosed-quantity orders are taken: nowhere but in normal trading
        (SEBI MRD-POD2/I/2765/2026 for the closing session; NSE for pre-open and post-close).
        """
        return self.matching is Matching.CONTINUOUS


_HALTED, _OPEN, _CLOSED, _PRE_OPEN, _PRE_CLOSE = "1", "2", "3", "4", "5"
_STOPPED, _TRADING, _UNAVAILABLE, _AUCTION = "2", "17", "18", "21"

RULES = {
    Phase.CLOSED: Rules(False, False, Matching.NONE, _CLOSED, _UNAVAILABLE),
    Phase.PRE_OPEN: Rules(True, True, Matching.AUCTION, _PRE_OPEN, _AUCTION),
    Phase.PRE_OPEN_LIMIT: Rules(True, False, Matching.AUCTION, _PRE_OPEN, _AUCTION, frozen=True),
    Phase.PRE_OPEN_MATCH: Rules(False, False, Matching.NONE, _PRE_OPEN, _UNAVAILABLE, cancel=False),
    Phase.CONTINUOUS: Rules(True, True, Matching.CONTINUOUS, _OPEN, _TRADING),
    Phase.CLOSING_REFERENCE: Rules(False, False, Matching.NONE, _PRE_CLOSE, _UNAVAILABLE),
    Phase.CLOSING: Rules(True, True, Matching.AUCTION, _PRE_CLOSE, _AUCTION),
    Phase.CLOSING_LIMIT: Rules(True, False, Matching.AUCTION, _PRE_CLOSE, _AUCTION, frozen=True),
    Phase.CLOSING_MATCH: Rules(False, False, Matching.NONE, _PRE_CLOSE, _UNAVAILABLE, cancel=False),
    Phase.POST_CLOSE: Rules(True, True, Matching.AT_CLOSE, _OPEN, _TRADING),
    Phase.HALTED: Rules(False, False, Matching.NONE, _HALTED, _STOPPED),
    Phase.REOPENING: Rules(True, True, Matching.AUCTION, _PRE_OPEN, _AUCTION),
}
