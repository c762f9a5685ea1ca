"""A stop of the whole market: what was said of it last, what it means at a moment, and what comes
next.

Flow: the index, the venue's word, an operator's -> `next_halt`, `ordered_halt` -> PostgreSQL ->
whoever judges an order. Invariant: what is said of a trade date is a row of statements, of which
the last one stands; each has a cause that is unique on its date, so that two watchers, or one that
was killed, say nothing twice. The venue's announcement rules; the index stops the market where the
venue is silent; an operator's word stands until it ends, but never against a later stop.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from functions.shared.domain.breaker import BreakerRules
from functions.shared.domain.sessions import Phase

_INDIA: Final = ZoneInfo("Asia/Kolkata")
#: The phases of a halt: nothing is taken, then orders are collected for a call auction.
STOPPED: Final = frozenset({Phase.HALTED, Phase.REOPENING})
#: A call auction of whose length nothing was said (SEBI CIR/MRD/DP/25/2013).
AUCTION: Final = timedelta(minutes=15)
_ORDERED: Final = "ordered by the broker's risk officers"


class HaltSource(StrEnum):
    """Whose word it is."""

    VENUE = "VENUE"
    INDEX = "INDEX"
    OPERATOR = "OPERATOR"


class VenueWord(NamedTuple):
    """The phase that the venue announced last of all classes of securities, and when."""

    phase: Phase
    at: datetime


class HaltOrder(NamedTuple):
    """What an operator wants: HALTED for `stop` (None: until another word), REOPENING for
    `auction`, or OPEN."""

    phase: Phase
    stop: timedelta | None
    auction: timedelta


@dataclass(frozen=True, slots=True)
class MarketHalt:
    """One statement. `level`: the highest percent that the index has reached on the day, 0 for
    none; `since`: when trading stopped; `resumes_at`: when the call auction begins (None: not said)
    and `opens_at`: when it ends; `venue`: the venue's word while it holds the halt, whatever the
    times say, and `venue_at` when it last spoke; `said_at`: when the statement was made."""

    trade_date: date
    seq: int
    cause: str
    source: HaltSource
    level: int
    since: datetime
    resumes_at: datetime | None
    opens_at: datetime | None
    venue: Phase | None
    venue_at: datetime | None
    said_at: datetime
    text: str

    def phase_at(self, now: datetime) -> Phase | None:
        """HALTED or REOPENING; None before it, after it and on every other day."""
        if trade_day(now) != self.trade_date or now < self.since:
            return None
        if self.venue is not None:
            return self.venue
        if self.resumes_at is None or now < self.resumes_at:
            return Phase.HALTED
        return Phase.REOPENING if self.opens_at is None or now < self.opens_at else None

    def until(self, now: datetime) -> datetime | None:
        """When the part that it is in ends, None when nobody has said, or the time has passed."""
        phase = self.phase_at(now)
        ends = self.resumes_at if phase is Phase.HALTED else self.opens_at
        return ends if phase is not None and ends is not None and now < ends else None


def trade_day(moment: datetime) -> date:
    """The day in India that a moment falls on."""
    return moment.astimezone(_INDIA).date()


def format_utc(moment: datetime) -> str:
    """RFC 3339 in UTC, with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def next_halt(
    standing: MarketHalt | None,
    now: datetime,
    percent: int,
    venue: VenueWord | None,
    rules: BreakerRules,
) -> MarketHalt | None:
    """The statement to be made now, None while what stands is right. `percent`: the highest level
    that the index has reached on this trade date, seen while shares trade, 0 for none."""
    today = trade_day(now)
    if standing is not None and standing.trade_date != today:
        standing = None
    if venue is not None and trade_day(venue.at) != today:
        venue = None
    if percent > (standing.level if standing else 0):
        found = _by_index(standing, now, percent, venue, rules)
        if found is not None:
            return found
    return None if venue is None else _by_venue(standing, now, venue)


def ordered_halt(
    standing: MarketHalt | None, now: datetime, order: HaltOrder, audit_id: int
) -> MarketHalt:
    """What an operator's word makes of it. Why is for the audit trail, and not for everybody."""
    base = _base(standing, now, HaltSource.OPERATOR, f"AUDIT {audit_id}")
    phase = standing.phase_at(now) if standing else None
    since = base.since if phase is not None else now
    resumes_at, opens_at = now, now
    if order.phase is Phase.HALTED:
        if phase is not Phase.HALTED:
            since = now
        if order.stop is None:
            return _described(replace(base, since=since, resumes_at=None, opens_at=None), _ORDERED)
        resumes_at = now + order.stop
        opens_at = resumes_at + order.auction
    elif order.phase is Phase.REOPENING:
        opens_at = now + order.auction
    return _described(
        replace(base, since=since, resumes_at=resumes_at, opens_at=opens_at), _ORDERED
    )


def _by_index(
    standing: MarketHalt | None,
    now: datetime,
    percent: int,
    venue: VenueWord | None,
    rules: BreakerRules,
) -> MarketHalt | None:
    """A level is reached. Of a halt that the venue announced without a level, it is the reason."""
    phase = standing.phase_at(now) if standing else None
    told = venue if venue is not None and venue.phase is Phase.HALTED else None
    first = told is not None and (standing is None or standing.level == 0 or phase is None)
    since = told.at if told is not None and first else now
    row = rules.brought_about(percent, since)
    if row is None:
        return None
    source = HaltSource.VENUE if first else HaltSource.INDEX
    resumes_at = None if row.stop is None else since + row.stop
    opens_at = None if resumes_at is None else resumes_at + row.auction
    if standing and standing.source is HaltSource.OPERATOR and phase is Phase.HALTED:
        resumes_at, opens_at = _longer(standing, resumes_at, opens_at)
    base = _base(standing, now, source, f"INDEX {percent}")
    halt = replace(
        base, level=percent, since=since, resumes_at=resumes_at, opens_at=opens_at,
        venue=told.phase if told else None, venue_at=told.at if told else base.venue_at,
    )  # fmt: skip
    return _described(halt, f"{rules.index} moved {percent} % from its previous close")


def _longer(
    standing: MarketHalt, resumes_at: datetime | None, opens_at: datetime | None
) -> tuple[datetime | None, datetime | None]:
    if resumes_at is None or standing.resumes_at is None:
        return None, None
    if standing.resumes_at > resumes_at:
        return standing.resumes_at, standing.opens_at
    return resumes_at, opens_at


def _by_venue(standing: MarketHalt | None, now: datetime, venue: VenueWord) -> MarketHalt | None:
    heard = standing.venue_at if standing else None
    if heard is not None and venue.at <= heard:
        return None
    phase = standing.phase_at(now) if standing else None
    base = _base(standing, now, HaltSource.VENUE, f"VENUE {venue.phase} {venue.at.isoformat()}")
    by_operator = standing is not None and standing.source is HaltSource.OPERATOR
    if venue.phase is Phase.HALTED:
        return _venue_halts(standing, phase, base, venue)
    if by_operator and (phase is not None or (standing and venue.at <= standing.said_at)):
        return None  # an operator's timetable runs to its end
    if venue.phase is Phase.REOPENING:
        return _venue_collects(standing, phase, base, venue)
    if standing is None or phase is None or venue.phase is Phase.CLOSED:
        return None
    if standing.venue is None and venue.at <= standing.since:
        return None  # said before the index moved
    resumes_at = min(standing.resumes_at or venue.at, venue.at)
    halt = replace(
        base, source=standing.source, resumes_at=resumes_at, opens_at=venue.at, venue=None,
        venue_at=venue.at,
    )  # fmt: skip
    return replace(halt, text=f"the market is open again since {_clock(venue.at)} IST")


def _venue_halts(
    standing: MarketHalt | None, phase: Phase | None, base: MarketHalt, venue: VenueWord
) -> MarketHalt | None:
    if standing is not None and phase is Phase.HALTED:
        if standing.venue is Phase.HALTED or standing.source is HaltSource.OPERATOR:
            return None
        return replace(
            base, source=standing.source, venue=Phase.HALTED, venue_at=venue.at, text=standing.text
        )
    lifted = standing is not None and phase is None and standing.source is HaltSource.OPERATOR
    if lifted and standing is not None and venue.at <= standing.said_at:
        return None
    halt = replace(
        base, since=venue.at, resumes_at=None, opens_at=None, venue=Phase.HALTED, venue_at=venue.at
    )
    return _described(halt, "announced by the exchange")


def _venue_collects(
    standing: MarketHalt | None, phase: Phase | None, base: MarketHalt, venue: VenueWord
) -> MarketHalt | None:
    if standing is not None and standing.venue is Phase.REOPENING:
        return None
    auction = AUCTION
    if standing is not None and standing.resumes_at and standing.opens_at:
        auction = standing.opens_at - standing.resumes_at or AUCTION
    since = base.since if phase is not None else venue.at
    source = standing.source if standing is not None and phase is not None else HaltSource.VENUE
    halt = replace(
        base, source=source, since=since, resumes_at=venue.at, opens_at=venue.at + auction,
        venue=Phase.REOPENING, venue_at=venue.at,
    )  # fmt: skip
    return _described(halt, "the exchange opens the market again")


def _base(standing: MarketHalt | None, now: datetime, source: HaltSource, cause: str) -> MarketHalt:
    """The next statement, with what the last one of the date leaves to it."""
    if standing is not None and standing.trade_date == trade_day(now):
        return replace(
            standing, seq=standing.seq + 1, cause=cause, source=source, venue=None, said_at=now
        )
    return MarketHalt(trade_day(now), 1, cause, source, 0, now, None, None, None, None, now, "")


def _described(halt: MarketHalt, why: str) -> MarketHalt:
    """With the sentence that a refused order is answered."""
    if halt.opens_at is not None and halt.opens_at <= halt.said_at:
        return replace(halt, text=f"the market is open again since {_clock(halt.opens_at)} IST")
    level = f" (circuit breaker, {halt.level} %)" if halt.level else ""
    text = f"the market is halted{level} since {_clock(halt.since)} IST"
    if halt.resumes_at is not None and halt.opens_at is not None:
        text += f" until {_clock(halt.resumes_at)}, then a call auction until"
        text += f" {_clock(halt.opens_at)}"
    elif halt.source is HaltSource.OPERATOR:
        text += ", until an operator opens it"
    elif halt.level:
        text += ", for the rest of the day"
    else:
        text += ", until the exchange opens it"
    return replace(halt, text=f"{text}: {why}")


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(_INDIA):%H:%M:%S}"
