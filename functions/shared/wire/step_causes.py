"""Why a step of an order's life came to be: a code, an order that it came from, the words of it.

Invariant: a cause is what the step's own event says, or the one before it in the order's life. A
step that its kind or its `request` explains (asked for, acknowledged, traded) has none.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from functions.shared.domain.plans import SLICE_PREFIX
from functions.shared.domain.square_off import RESERVED_PREFIX
from functions.shared.domain.waiting import RENEWAL_PREFIX
from functions.shared.wire.events import OrderFacts, TriggerSeen
from functions.shared.wire.exits import ExitCause

#: Events that a rule stood against: the first one is the cause.
_REFUSED: Final = frozenset({"ORDER_DENIED", "CHANGE_DENIED", "ORDER_RELEASE_DENIED"})
#: Events after which an order says why it is as it is.
_REASONED: Final = frozenset(
    {"ORDER_REJECTED", "ORDER_CANCELLED", "ORDER_EXPIRED", "CHANGE_REFUSED", "FILL_BUSTED",
     "ORDER_OVERFILLED"}
)  # fmt: skip
#: By what a client order id begins with: an order that the broker placed. Ours of exits have a
#: cause in their event.
_PLACED_BY: Final[Mapping[str, str]] = {
    SLICE_PREFIX: "PLAN_SLICE", RENEWAL_PREFIX: "GTC_RENEWED", RESERVED_PREFIX: "SQUARED_OFF",
}  # fmt: skip
_FIRED: Final[Mapping[str, str]] = {"PRICE": "PRICE_REACHED", "TIME": "TIME_REACHED"}
TAKEN_BACK: Final = "FILL_BUSTED"
_CORRECTED: Final = "TRADE_CORRECTED"


class Cause(NamedTuple):
    """`order_id`: of the order or the plan that it came from; `message`: the words of whoever
    decided, where there are any."""

    code: str
    order_id: int | None = None
    message: str | None = None


def cause_of(
    kind: str,
    order: OrderFacts | None,
    given: ExitCause | None,
    trigger: TriggerSeen | None,
    rules: list[dict[str, object]],
    before: OrderFacts | None = None,
) -> Cause | None:
    """`given`: what the event itself names; `before`: the order as a trade of it was taken back,
    where that was the step before."""
    if given is not None:
        return Cause(given.code, given.order_id)
    if kind in _REFUSED and rules:
        return Cause(str(rules[0]["code"]), None, str(rules[0]["message"]))
    if order is None:
        return None
    if kind in _REASONED:
        return _reason(kind, order)
    if kind == "FILL" and before is not None and before.reason_code == _CORRECTED:
        return Cause(_CORRECTED, None, before.reason or None)
    if kind == "ORDER_RELEASED" and trigger is not None:
        return Cause(_FIRED[trigger.why])
    if kind == "ORDER_PLACED":
        return _placed_by(order)
    return None


def _reason(kind: str, order: OrderFacts) -> Cause | None:
    if order.reason_code is not None:
        return Cause(order.reason_code, None, order.reason or None)
    return Cause("CLIENT_CANCELLED") if kind == "ORDER_CANCELLED" else None


def _placed_by(order: OrderFacts) -> Cause | None:
    for prefix, code in _PLACED_BY.items():
        if order.client_order_id.startswith(prefix):
            return Cause(code, order.parent_order_id)
    return None
