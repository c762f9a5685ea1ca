"""Why an order stands where it does, step by step, in words."""

from tui.client.models import HistoryStep, Slice
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
}
"""What made an exit change, in words; other codes stand as they are."""


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
    if step.cause is not None:
        words = CAUSES.get(step.cause.code, step.cause.code.replace("_", " ").lower())
        parts.append(f"{words} (#{step.cause.order_id})")
    return "; ".join(parts)


def slice_words(each: Slice) -> str:
    """Where a slice stands."""
    if each.status is not None:
        return each.status.replace("_", " ").capitalize()
    return {"WAITING": "To come", "SKIPPED": "Passed over"}.get(each.state, each.state.capitalize())
