"""A user's own kill switch, and what stands in each share beside the most that may.

Flow: a route of functions/auth or functions/risk -> here -> an event of the account's log.
Invariant: turning the switch on, and the cancels of what could open, are one transaction; when it
may be turned off is decided under the account's lock.
"""

from dataclasses import dataclass
from datetime import date, datetime

from functions.shared.stores.postgres import Shards

_STATE = "SELECT is_on, since, may_end_at FROM ledger.kill_switch_of(:user_id, :today)"
_ON = "SELECT order_id, plan_id FROM ledger.turn_on_kill_switch(:user_id, :today, :now)"
_OFF = "SELECT outcome, may_end_at FROM ledger.turn_off_kill_switch(:user_id, :today, :now)"
_USES = (
    "SELECT stock, exposure, exposed, valid_from, source, stocks"
    " FROM ledger.limit_uses(:user_id, :today)"
)


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """`since`: of its latest turn, None when it was never turned; `may_end_at`: None while off."""

    is_on: bool
    since: datetime | None
    may_end_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Numbers of the orders and plans that turning it on asked to cancel."""

    orders: tuple[int, ...]
    plans: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PositionLimits:
    """A dated row and what it comes to for an account, in paise: the most that it may have put into
    one share, and that its open orders and day positions may come to; what those come to now, and
    what it has put into each share, the most first."""

    stock: int
    exposure: int
    exposed: int
    valid_from: date
    source: str
    stocks: tuple[tuple[str, int], ...]


def kill_switch_of(shards: Shards, user_id: int, today: date) -> KillSwitch:
    """Raises NotFound when there is no account, Retryable."""
    [row] = shards.of_user(user_id).call(_STATE, user_id=user_id, today=today)
    return KillSwitch(*row)


def turn_on_kill_switch(shards: Shards, user_id: int, today: date, now: datetime) -> Cancelled:
    """Asked again it stays on, and cancels what could open by now. Raises NotFound, Retryable."""
    rows = shards.of_user(user_id).call(_ON, user_id=user_id, today=today, now=now)
    return Cancelled(
        tuple(order for order, _ in rows if order is not None),
        tuple(plan for _, plan in rows if plan is not None),
    )


def turn_off_kill_switch(
    shards: Shards, user_id: int, today: date, now: datetime
) -> datetime | None:
    """None once it is off, now or before; else when it may be. Raises NotFound, Retryable."""
    [[outcome, may_end_at]] = shards.of_user(user_id).call(
        _OFF, user_id=user_id, today=today, now=now
    )
    return may_end_at if outcome == "WAITS" else None


def position_limits(shards: Shards, user_id: int, today: date) -> PositionLimits | None:
    """None for an account of a class without limits. Raises NotFound, Retryable."""
    rows = shards.of_user(user_id).call(_USES, user_id=user_id, today=today)
    if not rows:
        return None
    stock, exposure, exposed, valid_from, source, stocks = rows[0]
    used = tuple((symbol, value) for symbol, value in stocks)
    return PositionLimits(stock, exposure, exposed, valid_from, source, used)
