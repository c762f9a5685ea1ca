"""Orders that wait for a price or a time: what they must be, what they wait for, when they end.

Invariant: an order that waits is judged twice, here as it is placed (on its trigger) and again when
it is released (on the market of that moment); the second judgement alone lets it go.

Sources: limit and trigger of a stop-limit order no further apart than 1.50 rupees up to a trigger
of 50 rupees, 3 % above, NSE/CM/57613; stops wait for continuous trading and end with it, as
brokers' help pages say; so many minutes as Kite's validity TTL.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from functions.shared.domain.calendar import INDIA, Hours, MarketStatus
from functions.shared.domain.gtt import gtt_rule
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.legs import Leg
from functions.shared.domain.money import PRICE_UNITS_PER_RUPEE, format_price
from functions.shared.domain.orders import STOPS, OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Band, Judgement, OrderIntent, Rule, judge
from functions.shared.domain.sessions import Phase
from functions.shared.domain.stop_side import limit_rules, passed_rules

LIFE_MINUTES_MAX: Final = 24 * 60
#: Of the client order ids of GTC orders that are placed again; clients can't use it.
RENEWAL_PREFIX: Final = "GTC-"
#: Of the request ids by which an order is cancelled whose minutes are over; clients can't use it.
LIFE_OVER_PREFIX: Final = "TTL-"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order waits for (`trigger_price` in ten-thousandths of a rupee, or nothing), when
    what is left of it ends (None: with the venue's day), the session it is for when that isn't
    today's, and the first of the orders that it continues, or the plan that places it.
    `trigger_above`: reached by prices at or above the trigger; `gtt_max`: how many GTTs the account
    may have waiting. `target`: of a stop, the exit that waits with it; `exits`: what an entry's
    fills bring to life; `trail`: a trailing stop's distance from the best price, and by how much
    its trigger follows at least."""

    trigger_price: int | None
    expires_at: datetime | None
    releases_at: datetime | None = None
    trade_date: date | None = None
    parent_order_id: int | None = None
    trigger_above: bool | None = None
    gtt_max: int | None = None
    target: Leg | None = None
    exits: tuple[Leg, ...] | None = None
    trail: int | None = None
    trail_step: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the order stays with us for now."""
        return self.trigger_price is not None or self.releases_at is not None


@dataclass(frozen=True, slots=True)
class ContinuousHours:
    """A dated row: when continuous trading ends, and a stop can't be triggered any more."""

    valid_from: date
    hours: Hours
    ends: time
    source: str


CONTINUOUS_HOURS: Final = (
    ContinuousHours(date(2023, 1, 1), "nse", time(15, 30), "NSE market timings"),
    ContinuousHours(date(2023, 1, 1), "always-open", time(23, 59), "the demo's clock"),
)


@dataclass(frozen=True, slots=True)
class GoodTill:
    """A dated row: how long an order lives that is good till cancelled."""

    valid_from: date
    days: int
    source: str


GOOD_TILL: Final = (GoodTill(date(2023, 1, 1), 90, "broker policy"),)


@dataclass(frozen=True, slots=True)
class StopGap:
    """A dated row: how far limit and trigger may be apart: `near` ten-thousandths of a rupee for a
    trigger up to `up_to`, `percent` of the trigger above."""

    valid_from: date
    up_to: int
    near: int
    percent: int
    source: str


STOP_GAPS: Final = (
    StopGap(
        date(2023, 1, 1), 50 * PRICE_UNITS_PER_RUPEE, 150 * PRICE_UNITS_PER_RUPEE // 100, 3,
        "NSE/CM/57613",
    ),
)  # fmt: skip


def terms_of(
    intent: OrderIntent, validity: Validity, minutes: int | None, status: MarketStatus,
    now: datetime, hours: Hours, last: int,
) -> Terms | None:  # fmt: skip
    """None for an order that goes to the venue at once and lives by its day. `minutes`: the life of
    a TTL order, which ends with the session at the latest. `last`: the last price, in
    ten-thousandths of a rupee."""
    day, trigger = status.trade_date, intent.trigger_price
    end = session_end(day, hours)
    above = None if trigger is None else intent.side is Side.BUY
    if validity is Validity.GTT and trigger is not None:
        rule = gtt_rule(day)
        end = session_end(day + timedelta(days=rule.days), hours)
        return Terms(trigger, end, trigger_above=trigger > last, gtt_max=rule.most)
    if validity is Validity.TTL and minutes is not None:
        end = min(end, now + timedelta(minutes=minutes))
        return Terms(trigger, end, trigger_above=above)
    if validity is Validity.GTC:
        return Terms(None, good_till(status.trade_date, hours))
    return Terms(trigger, end, trigger_above=above) if intent.type in STOPS else None


def good_till(trade_date: date, hours: Hours) -> datetime:
    """When a GTC order of that session ends for good. Raises LookupError without a row."""
    rows = [row for row in GOOD_TILL if row.valid_from <= trade_date]
    if not rows:
        raise LookupError(f"no life of a GTC order on {trade_date}")
    days = max(rows, key=lambda row: row.valid_from).days
    return session_end(trade_date + timedelta(days=days), hours)


def session_end(trade_date: date, hours: Hours) -> datetime:
    """When the day's continuous trading ends. Raises LookupError when no row covers the day."""
    rows = [row for row in CONTINUOUS_HOURS if row.hours == hours and row.valid_from <= trade_date]
    if not rows:
        raise LookupError(f"no hours on {trade_date}")
    ends = max(rows, key=lambda row: row.valid_from).ends
    return datetime.combine(trade_date, ends, INDIA).astimezone(UTC)


def judge_stop(
    intent: OrderIntent,
    product: Product,
    instrument: Instrument,
    last: int,
    previous_close: int,
    status: MarketStatus,
    band: Band | None = None,
) -> Judgement:
    """The verdict on a stop as it is placed. It reserves what it needs at its limit, or at the
    protected price of a market order at its trigger. Arguments as for `judge`."""
    band = band or instrument.band(previous_close)
    verdict = judge(
        released_intent(intent), product, instrument, intent.trigger_price or 0, previous_close,
        status, band=band,
    )  # fmt: skip
    rules = (*verdict.rules, *_trigger_rules(intent, instrument, last, band, status))
    return replace(verdict, rules=rules)


def released_intent(intent: OrderIntent) -> OrderIntent:
    """What an order is once it need not wait any more: a stop is a market or a limit order then."""
    kinds = {OrderType.STOP: OrderType.MARKET, OrderType.STOP_LIMIT: OrderType.LIMIT}
    return replace(intent, type=kinds.get(intent.type, intent.type), trigger_price=None)


def _trigger_rules(
    intent: OrderIntent, instrument: Instrument, last: int, band: Band, status: MarketStatus
) -> list[Rule]:
    trigger = intent.trigger_price or 0
    low, high = band
    nearest = min(max(instrument.nearest_tick(trigger), low), high)
    rules = []
    closed = status.phase is Phase.CLOSED  # which is a rule of its own, and has no band
    if status.phase is not Phase.OPEN and not closed:
        rules.append(
            Rule("TYPE_NOT_IN_PHASE", f"the phase {status.phase} takes no stops", intent.type,
                 Phase.OPEN)
        )  # fmt: skip
    if trigger % instrument.tick:
        rules.append(
            Rule("TRIGGER_OFF_TICK", "the trigger is not a multiple of the tick",
                 format_price(trigger), format_price(instrument.tick), format_price(nearest))
        )  # fmt: skip
    if not closed and not low <= trigger <= high:
        rules.append(
            Rule("TRIGGER_OUTSIDE_BAND", "the trigger is outside the day's band",
                 format_price(trigger), f"{format_price(low)} to {format_price(high)}",
                 format_price(nearest))
        )  # fmt: skip
    rules += passed_rules(intent.side, trigger, instrument, last, instrument.tick)
    if intent.price is not None:
        rules += _limit_rules(intent.side, intent.price, trigger, instrument, status.trade_date)
    return rules


def _limit_rules(
    side: Side, limit: int, trigger: int, instrument: Instrument, on: date
) -> list[Rule]:
    """The limit of a stop-limit order lies behind its trigger, and not far."""
    gap = max((g for g in STOP_GAPS if g.valid_from <= on), key=lambda g: g.valid_from)
    most = gap.near if trigger <= gap.up_to else trigger * gap.percent // 100
    most = most // instrument.tick * instrument.tick
    if before := limit_rules(side, limit, trigger):
        return before
    if abs(limit - trigger) > most:
        furthest = trigger + most if side is Side.BUY else trigger - most
        return [
            Rule("STOP_LIMIT_GAP", "the limit is too far from the trigger",
                 format_price(limit), format_price(furthest), format_price(furthest))
        ]  # fmt: skip
    return []
