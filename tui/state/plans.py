"""Orders in slices as they are read: the open ones first, how far each is and what comes next."""

from datetime import datetime

from tui.client.models import Order, Plan, Slice
from tui.state import formats
from tui.state.account import Account

BAR = " ▏▎▍▌▋▊▉█"
"""Eighths of a cell."""


def plans_shown(account: Account) -> list[Plan]:
    """Open plans above ended ones, the newest first in each."""

    def rank(plan: Plan) -> tuple[bool, int]:
        return (not plan.is_open, -int(plan.plan_id) if plan.plan_id.isdecimal() else 0)

    return sorted(account.plans.values(), key=rank)


def plan_of(account: Account, order: Order) -> Plan | None:
    """The plan that placed an order."""
    return account.plans.get(order.parent_order_id or "")


def progress_bar(done: int, total: int, width: int) -> str:
    """A bar of `width` cells; full only when all is done, and begun as soon as anything is."""
    eighths = done * width * 8 // total if total else 0
    if done > 0 and not eighths:
        eighths = 1
    full, part = divmod(min(eighths, width * 8), 8)
    return ("█" * full + (BAR[part] if part else "")).ljust(width, "·")


def next_slice(plan: Plan) -> Slice | None:
    """The slice to be placed next, None when there is none or it is not known."""
    if plan.state != "ACTIVE":
        return None
    return next((each for each in plan.slices or [] if each.state == "WAITING"), None)


def placed_slices(plan: Plan) -> int:
    """How many slices have an order."""
    return sum(each.state == "PLACED" for each in plan.slices or [])


def coming(plan: Plan, now: datetime | None) -> str:
    """What comes next, in a few words: a time, the end of the leg before, or the end of the plan.
    `now` is business time."""
    following = next_slice(plan)
    if not plan.is_open:
        return ""
    if plan.state == "CANCELLING":
        return "ending"
    if following is None:
        return "last slice" if plan.slices else formats.NOTHING
    if following.due_at is None:
        return f"after leg {following.number - 1}"
    if now is not None and following.due_at <= now:
        return "due now"
    return formats.clock(following.due_at)
