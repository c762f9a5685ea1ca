"""What a plan's window and parts must be, whatever it trades.

Invariant: every rule that a plan breaks is named at once, with its numbers and what would pass.

Source: brokers' help pages (2 to 50 legs); broker policy for the rest.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from functions.shared.domain.calendar import Hours, square_off_time
from functions.shared.domain.orders import Product
from functions.shared.domain.plans import LEGS_MAX, LEGS_MIN, SLICES_MAX, PlanKind
from functions.shared.domain.pretrade import Rule
from functions.shared.domain.waiting import session_end


@dataclass(frozen=True, slots=True)
class Window:
    """When a plan trades, and in how many parts: the `legs` of an iceberg, or a slice at the start
    of each interval."""

    kind: PlanKind
    starts_at: datetime
    ends_at: datetime
    interval: timedelta | None
    legs: int | None

    @property
    def count(self) -> int:
        """How many parts; 0 for a window without any."""
        if self.kind is PlanKind.ICEBERG:
            return self.legs or 0
        if self.interval is None or self.ends_at <= self.starts_at:
            return 0
        return -(-(self.ends_at - self.starts_at) // self.interval)


def plan_rules(
    window: Window,
    quantity: int,
    lot: int,
    product: Product,
    now: datetime,
    trade_date: date,
    hours: Hours,
) -> list[Rule]:
    """Why the plan can't be, if so: its window in this session, its parts, a lot for each part."""
    rules = [*_window_rules(window, product, now, trade_date, hours)]
    least, most = (
        (LEGS_MIN, LEGS_MAX) if window.kind is PlanKind.ICEBERG else (LEGS_MIN, SLICES_MAX)
    )
    count = window.count
    if not least <= count <= most and not rules:
        rules.append(
            Rule("SLICES_OUT_OF_RANGE", "so many slices a plan has", str(count),
                 f"{least} to {most}", str(min(max(count, least), most)))
        )  # fmt: skip
    if quantity % lot:
        rules.append(
            Rule("QUANTITY_OFF_LOT", "the quantity is not a multiple of the lot", str(quantity),
                 str(lot), str(quantity // lot * lot))
        )  # fmt: skip
    elif quantity // lot < count:
        rules.append(
            Rule("SLICE_BELOW_LOT", "each slice trades a lot at least", str(count),
                 str(quantity // lot), str(quantity // lot))
        )  # fmt: skip
    return rules


def _window_rules(
    window: Window, product: Product, now: datetime, trade_date: date, hours: Hours
) -> list[Rule]:
    ends = session_end(trade_date, hours)
    if product is Product.MIS:
        ends = min(ends, square_off_time(trade_date, hours))
    rules = []
    if window.starts_at < now:
        rules.append(
            Rule("STARTS_IN_THE_PAST", "the window begins now or later", _text(window.starts_at),
                 _text(now), _text(now))
        )  # fmt: skip
    if window.ends_at > ends and window.kind is not PlanKind.ICEBERG:
        rules.append(
            Rule("ENDS_AFTER_SESSION", "the window ends with the day's trading at the latest",
                 _text(window.ends_at), _text(ends), _text(ends))
        )  # fmt: skip
    if window.ends_at <= window.starts_at:
        rules.append(
            Rule("WINDOW_EMPTY", "the window ends after it begins", _text(window.ends_at),
                 _text(window.starts_at))
        )  # fmt: skip
    return rules


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
