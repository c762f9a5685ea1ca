"""Why an order stands where it does, step by step, in words."""

from tui.client.models import Cause, HistoryStep, Slice
from tui.state import formats

CAUSES = {
    "EXITS_TOGETHER": "placed with its pair",
    "ENTRY_FILLED": "its entry filled",
    "SIBLING_FIRED": "the other exit went out",
    "SIBLING_FILLED": "the other exit filled",
    "SIBLING_WAITS_AGAIN": "the other exit died at the exchange",
    "SIBLING_ENDED": "the other exit ended",
    "WAITS_AGAIN": "in the place of one that died at the exchange",
    "ENTRY_BUSTED": "the exchange took back a trade of its entry",
    "EXIT_BUSTED": "the exchange took back a trade of an exit",
    "POSITION_CLOSED": "another order closed the position",
    "TRAILED": "its trigger followed the price",
    "PLAN_SLICE": "placed by the plan",
    "GTC_RENEWED": "goes on from the session before",
    "CLIENT_CANCELLED": "you cancelled it",
}
"""What made it happen, in words; other codes have the words of whoever decided."""
FIRED = frozenset({"PRICE_REACHED", "TIME_REACHED"})
"""The trigger says it better."""


def step_words(step: HistoryStep) -> str:
    """What happened: ORDER_RELEASED reads as Released."""
    kind = step.kind.removeprefix("ORDER_")
    return kind.replace("_", " ").capitalize()


def cause_words(step: HistoryStep) -> str:
    """What made it happen: the trade that fired it, or the order that it came from."""
    parts = []
    if step.trigger is not None and step.trigger.price is not None:
        at = formats.clock(step.trigger.time)
        parts.append(f"a trade at {formats.amount(step.trigger.price)}, {at}")
    elif step.trigger is not None:
        parts.append("its time had come")
    if step.cause is not None and step.cause.code not in FIRED:
        parts.append(_words(step.cause))
    return "; ".join(parts)


def _words(cause: Cause) -> str:
    words = CAUSES.get(cause.code) or cause.message or cause.code.replace("_", " ").lower()
    return words if cause.order_id is None else f"{words} (#{cause.order_id})"


def slice_words(each: Slice) -> str:
    """Where a slice stands."""
    if each.status is not None:
        return each.status.replace("_", " ").capitalize()
    return {"WAITING": "To come", "SKIPPED": "Passed over"}.get(each.state, each.state.capitalize())
