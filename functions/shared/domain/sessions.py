"""The phases of a trading day: which one it is by the calendar, what each takes, and who has the
last word.

Invariant: the rows are dated, and what a phase takes is one row of `TAKES`; nothing else compares
phases to decide it. What the venue announces rules over the calendar until the calendar's next
boundary has surely passed; a halt rules until the venue ends it. Where the second at which an
auction ends is left to chance, the calendar alone takes the earliest.

Sources: NSE market timings (S1, until 31 July 2026); SEBI MRD-POD2/I/2765/2026 with NSE CMTR72394
and CMTR74466 (S2, closing auction from 3 August 2026); NSE CMTR74969 (S3, pre-open from 7 September
2026). Times are India's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, NamedTuple

from functions.shared.domain.orders import OrderType


class Phase(StrEnum):
    """What the market, or a halt in its place, is in. OPEN is continuous trading."""

    CLOSED = "CLOSED"
    PRE_OPEN = "PRE_OPEN"
    PRE_OPEN_LIMIT = "PRE_OPEN_LIMIT"
    PRE_OPEN_MATCH = "PRE_OPEN_MATCH"
    OPEN = "OPEN"
    CLOSING_REFERENCE = "CLOSING_REFERENCE"
    CLOSING = "CLOSING"
    CLOSING_LIMIT = "CLOSING_LIMIT"
    CLOSING_MATCH = "CLOSING_MATCH"
    POST_CLOSE = "POST_CLOSE"
    HALTED = "HALTED"
    REOPENING = "REOPENING"


class SecurityClass(StrEnum):
    """Securities with derivatives have the closing auction; TradingSessionSubID(625)."""

    CLOSING_AUCTION = "CLOSING_AUCTION"
    OTHER = "OTHER"


class Takes(NamedTuple):
    """Which new orders, and changes of such, a phase takes. `immediate`: IOC and disclosed
    quantity, which make sense where orders trade at once."""

    limit: bool
    market: bool
    immediate: bool

    @property
    def types(self) -> tuple[OrderType, ...]:
        """The order types taken."""
        both = ((OrderType.LIMIT, self.limit), (OrderType.MARKET, self.market))
        return tuple(kind for kind, taken in both if taken)


_NOTHING = Takes(limit=False, market=False, immediate=False)
_BOTH = Takes(limit=True, market=True, immediate=False)
_LIMIT_ONLY = Takes(limit=True, market=False, immediate=False)

TAKES: Final[Mapping[Phase, Takes]] = {
    Phase.CLOSED: _NOTHING,
    Phase.PRE_OPEN: _BOTH,
    Phase.PRE_OPEN_LIMIT: _LIMIT_ONLY,
    Phase.PRE_OPEN_MATCH: _NOTHING,
    Phase.OPEN: Takes(limit=True, market=True, immediate=True),
    Phase.CLOSING_REFERENCE: _NOTHING,
    Phase.CLOSING: _BOTH,
    Phase.CLOSING_LIMIT: _LIMIT_ONLY,
    Phase.CLOSING_MATCH: _NOTHING,
    # At the closing price alone, which the ledger's protected limit can't promise for a market
    # order: the client names that price.
    Phase.POST_CLOSE: _LIMIT_ONLY,
    Phase.HALTED: _NOTHING,
    Phase.REOPENING: _BOTH,
}


class SessionRow(NamedTuple):
    """A phase from `at` on; with `latest`, from a moment of chance between the two."""

    at: time
    phase: Phase
    latest: time | None = None


Rows = tuple[SessionRow, ...]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A dated set: the sessions of a day by class of security."""

    name: str
    valid_from: date
    source: str
    rows: Mapping[SecurityClass, Rows]


def _rows(*groups: Rows) -> Rows:
    return tuple(row for group in groups for row in group)


_S1_PRE_OPEN: Rows = (
    SessionRow(time(9, 0), Phase.PRE_OPEN),
    SessionRow(time(9, 7), Phase.PRE_OPEN_MATCH, time(9, 8)),
)
_S3_PRE_OPEN: Rows = (
    SessionRow(time(9, 0), Phase.PRE_OPEN),
    SessionRow(time(9, 5), Phase.PRE_OPEN_LIMIT),
    SessionRow(time(9, 8), Phase.PRE_OPEN_MATCH, time(9, 10)),
)
_NORMAL: Rows = (SessionRow(time(9, 15), Phase.OPEN),)
_S1_CLOSE: Rows = (
    SessionRow(time(15, 30), Phase.CLOSED),
    SessionRow(time(15, 40), Phase.POST_CLOSE),
    SessionRow(time(16, 0), Phase.CLOSED),
)
_S2_CLOSE: Rows = (
    SessionRow(time(15, 30), Phase.CLOSED),
    SessionRow(time(15, 50), Phase.POST_CLOSE),
    SessionRow(time(16, 0), Phase.CLOSED),
)
_S2_CLOSING_AUCTION: Rows = (
    SessionRow(time(15, 15), Phase.CLOSING_REFERENCE),
    SessionRow(time(15, 20), Phase.CLOSING),
    SessionRow(time(15, 25), Phase.CLOSING_LIMIT),
    SessionRow(time(15, 28), Phase.CLOSING_MATCH, time(15, 30)),
    SessionRow(time(15, 35), Phase.CLOSED),
    SessionRow(time(15, 50), Phase.POST_CLOSE),
    SessionRow(time(16, 0), Phase.CLOSED),
)
_AUCTION, _OTHER = SecurityClass.CLOSING_AUCTION, SecurityClass.OTHER

RULE_SETS: Final = (
    RuleSet(
        "S1", date.min, "NSE market timings",
        dict.fromkeys(SecurityClass, _rows(_S1_PRE_OPEN, _NORMAL, _S1_CLOSE)),
    ),
    RuleSet(
        "S2", date(2026, 8, 3), "SEBI MRD-POD2/I/2765/2026, NSE CMTR72394, CMTR74466",
        {
            _AUCTION: _rows(_S1_PRE_OPEN, _NORMAL, _S2_CLOSING_AUCTION),
            _OTHER: _rows(_S1_PRE_OPEN, _NORMAL, _S2_CLOSE),
        },
    ),
    RuleSet(
        "S3", date(2026, 9, 7), "NSE CMTR74969",
        {
            _AUCTION: _rows(_S3_PRE_OPEN, _NORMAL, _S2_CLOSING_AUCTION),
            _OTHER: _rows(_S3_PRE_OPEN, _NORMAL, _S2_CLOSE),
        },
    ),
)  # fmt: skip

ALL_DAY: Final = RuleSet(
    "always-open", date.min, "the paper market that doesn't close",
    dict.fromkeys(
        SecurityClass,
        (SessionRow(time(0, 0), Phase.OPEN), SessionRow(time(23, 59), Phase.CLOSED)),
    ),
)  # fmt: skip


class Scheduled(NamedTuple):
    """What the calendar says of a moment: the phase, and since when it surely isn't an earlier one
    (None: since midnight)."""

    phase: Phase
    sure_since: time | None


class Announcement(NamedTuple):
    """What the venue last said of one security: the phase of its class and since when, its own halt
    if it has one, why, the price band in ten-thousandths of a rupee if that moved, and when; and
    when its last own halt was lifted, where that was heard."""

    phase: Phase
    at: datetime
    halt: Phase | None = None
    text: str = ""
    band: tuple[int, int] | None = None
    band_at: datetime | None = None
    lifted_at: datetime | None = None


def rule_set(on: date) -> RuleSet:
    """The set in force on a day."""
    return next(each for each in reversed(RULE_SETS) if each.valid_from <= on)


def scheduled_phase(rows: Rows, moment: time) -> Scheduled:
    """The phase of a moment, India's time, by a day's rows."""
    phase, sure_since = Phase.CLOSED, None
    for row in rows:
        if row.at <= moment:
            phase = row.phase
        if (row.latest or row.at) <= moment:
            sure_since = row.latest or row.at
    return Scheduled(phase, sure_since)


def last_close(rows: Rows) -> time:
    """When a day's last session ends."""
    return rows[-1].at
