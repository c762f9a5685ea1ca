"""A step of an order's life, as the ledger's event tells of it and as clients see it. JSON.

Invariant: a step says nothing that its event does not: what was asked and by whom, what the order
was after it, what traded, which rules stood against it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from functions.shared.clock import format_time
from functions.shared.domain.money import format_price
from functions.shared.domain.square_off import RESERVED_PREFIX
from functions.shared.domain.waiting import LIFE_OVER_PREFIX
from functions.shared.wire.events import FillFacts, OrderFacts, TriggerSeen, render_seen
from functions.shared.wire.exits import ExitCause
from functions.shared.wire.step_causes import TAKEN_BACK, Cause, cause_of

Asker = Literal["CLIENT", "TTL", "PLAN", "SIBLING", "EXIT", "SQUARE_OFF"]

#: The broker's own request ids begin so; no id of a client's does.
_ASKERS: Final[Mapping[str, Asker]] = {
    "plan:": "PLAN", "leg:": "SIBLING", "late:": "SIBLING", "exit:": "EXIT",
    RESERVED_PREFIX: "SQUARE_OFF", LIFE_OVER_PREFIX: "TTL",
}  # fmt: skip
#: Of a client's request to cancel all.
_OF_ALL: Final = "all:"


class BustFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that the venue took back or corrected."""

    exec_id: str
    quantity: int
    price: int


class StepFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an event's body has of a step. `change_key`: `cancel ID ASKED` or `replace ID ASKED`."""

    order: OrderFacts | None = None
    fill: FillFacts | None = None
    trigger: TriggerSeen | None = None
    cause: ExitCause | None = None
    bust: BustFacts | None = None
    rules: list[dict[str, object]] | None = None
    change_key: str | None = None


class OrderStep(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an order's life; `at` in microseconds since 1970."""

    seq: int
    at: int
    kind: str
    facts: StepFacts


_decoder = msgspec.json.Decoder(StepFacts)
#: Quantity, price, trigger price and version of a replace.
_asked_decoder = msgspec.json.Decoder(tuple[int | None, int | None, int | None, int | None])


def decode_step(text: str | bytes) -> StepFacts:
    return _decoder.decode(text)


def render_history(steps: Sequence[OrderStep]) -> list[dict[str, object]]:
    """The steps of one order, in their order."""
    before: OrderStep | None = None
    rendered = []
    for step in steps:
        rendered.append(render_step(step, before))
        before = step
    return rendered


def render_step(step: OrderStep, before: OrderStep | None = None) -> dict[str, object]:
    """`before`: the step before it in the order's life."""
    facts, order = step.facts, step.facts.order
    rules = facts.rules
    if rules is None and order is not None and order.status == "DENIED":
        rules = order.rules
    taken_back = before.facts.order if before and before.kind == TAKEN_BACK else None
    cause = cause_of(step.kind, order, facts.cause, facts.trigger, rules or [], taken_back)
    return {
        "seq": step.seq,
        "time": format_time(step.at),
        "kind": step.kind,
        "status": None if order is None else order.status,
        "quantity": None if order is None else order.quantity,
        "filled_quantity": None if order is None else order.filled_quantity,
        "price": None if order is None else _price(order.price),
        "trigger_price": None if order is None else _price(order.trigger_price),
        "request": None if facts.change_key is None else _request(facts.change_key),
        "fill": None if facts.fill is None else _fill(facts.fill),
        "rules": rules or [],
        "trigger": None if facts.trigger is None else render_seen(facts.trigger),
        "busted": None if facts.bust is None else _fill(facts.bust),
        "cause": None if cause is None else _cause(cause),
    }


def _cause(cause: Cause) -> dict[str, object]:
    order_id = None if cause.order_id is None else str(cause.order_id)
    return {"code": cause.code, "order_id": order_id, "message": cause.message}


def _fill(fill: FillFacts | BustFacts) -> dict[str, object]:
    return {"exec_id": fill.exec_id, "quantity": fill.quantity, "price": format_price(fill.price)}


def _request(key: str) -> dict[str, object]:
    action, request_id, asked = key.split(" ", 2)
    quantity = price = trigger = None
    if action == "replace":
        quantity, price, trigger, _ = _asked_decoder.decode(asked)
    return {
        "request_id": request_id.removeprefix(_OF_ALL),
        "action": "CANCEL" if action == "cancel" else "MODIFY",
        "by": _asker(request_id),
        "quantity": quantity,
        "price": _price(price),
        "trigger_price": _price(trigger),
    }


def _asker(request_id: str) -> Asker:
    """Who asked, by the id: the broker's own follow from what asks."""
    for prefix, asker in _ASKERS.items():
        if request_id.startswith(prefix):
            return asker
    return "CLIENT"


def _price(units: int | None) -> str | None:
    return None if units is None else format_price(units)
