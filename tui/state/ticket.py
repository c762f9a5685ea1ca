"""The order ticket: what is typed, whether it can be an order, and where a refusal belongs.

Only what needs no market data is checked here; ticks, bands, funds and holdings are the broker's
to judge, and its preview is shown while the user types.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from tui.client.models import Order, Problem, RuleFailure
from tui.state import formats
from tui.state.draft import FIELDS, MARKET_TYPES, MAY_NAME_NO_PRICE, PLAN_TYPES, Draft
from tui.state.requests import OrderRequest, PlanRequest, Request

DIGITS_MAX = 18
"""The contract reads numbers of at most this many digits."""

LEGS = (2, 50)
MINUTES = (1, 24 * 60)
PERCENT = (1, 50)
"""What the broker takes of a plan's legs, times and share of the market's volume."""

_WHOLE = re.compile(r"[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")

Errors = dict[str, str]
"""A message by field of draft.FIELDS, or "order" for what belongs to none."""


def check(draft: Draft) -> Request | Errors:
    """Read the draft as an order or a plan, or say what is missing, field by field."""
    errors: Errors = {}
    symbol = draft.symbol.strip().upper()
    if not symbol:
        errors["symbol"] = "Choose a symbol"
    if draft.side not in draft.sides:
        errors["order"] = f"A delivery {draft.type} is a {draft.sides[0]}"
    fields = _Fields(draft, errors)
    quantity = fields.count("quantity", read_quantity)
    price = fields.price("price", is_needed=draft.type not in MAY_NAME_NO_PRICE)
    trigger, target = fields.price("trigger_price"), fields.price("target_price")
    request: Request | None = None
    if draft.type in PLAN_TYPES:
        request = _plan(draft, fields, symbol, quantity, price)
    elif quantity is not None:
        request = _order(draft, symbol, quantity, price, trigger, target)
    return errors if errors or request is None else request


class _Fields:
    """Reads those of a draft's fields that it has, and notes at each what is wrong with it."""

    def __init__(self, draft: Draft, errors: Errors) -> None:
        self._draft = draft
        self._errors = errors

    def count(self, name: str, read: Callable[[str], int | str]) -> int | None:
        if name not in self._draft.fields:
            return None
        value = read(getattr(self._draft, name))
        if isinstance(value, str):
            self._errors[name] = value
            return None
        return value

    def price(self, name: str, *, is_needed: bool = True) -> Decimal | None:
        text = getattr(self._draft, name)
        if name not in self._draft.fields or (not is_needed and not text.strip()):
            return None
        if name == "price" and self._draft.type in MARKET_TYPES:
            return None
        value = read_price(text)
        if isinstance(value, str):
            self._errors[name] = value
            return None
        return value

    def wrong(self, name: str, words: str) -> None:
        self._errors[name] = words


def _order(
    draft: Draft,
    symbol: str,
    quantity: int,
    price: Decimal | None,
    trigger: Decimal | None,
    target: Decimal | None,
) -> OrderRequest:
    product = draft.product
    if draft.type == "BRACKET":
        kind = "MARKET" if price is None else "LIMIT"
        return OrderRequest(
            symbol, draft.side, kind, quantity, price, product, "DAY", None, target, trigger
        )
    if draft.type == "OCO":
        return OrderRequest(
            symbol, draft.side, "LIMIT", quantity, price, product, "GTT", trigger, target
        )
    return OrderRequest(
        symbol, draft.side, draft.type, quantity, price, product, draft.validity, trigger
    )


def _plan(
    draft: Draft, fields: _Fields, symbol: str, quantity: int | None, price: Decimal | None
) -> PlanRequest | None:
    legs = fields.count("legs", partial(_read_count, LEGS))
    minutes = fields.count("minutes", partial(_read_count, MINUTES))
    interval = fields.count("interval_minutes", partial(_read_count, MINUTES))
    percent = fields.count("participation_percent", partial(_read_count, PERCENT))
    if minutes and interval and minutes <= interval:
        fields.wrong("interval_minutes", f"Less than {minutes}")
    if quantity is None:
        return None
    return PlanRequest(
        draft.type, symbol, draft.side, quantity, price, draft.product,
        legs, minutes, interval, percent,
    )  # fmt: skip


def _read_count(bounds: tuple[int, int], text: str) -> int | str:
    """A whole number within bounds, or what is wrong with the text."""
    least, most = bounds
    plain = text.strip()
    if not _WHOLE.fullmatch(plain) or not least <= int(plain[:DIGITS_MAX]) <= most:
        return f"{least} to {most}"
    return int(plain)


def read_quantity(text: str) -> int | str:
    """A count of shares, or what is wrong with the text."""
    plain = text.replace(",", "").strip()
    if not plain:
        return "Enter a quantity"
    if not _WHOLE.fullmatch(plain) or len(plain) > DIGITS_MAX:
        return "Whole shares only"
    return int(plain) or "At least one share"


def read_price(text: str) -> Decimal | str:
    """An exact price, or what is wrong with the text."""
    plain = text.replace(",", "").strip()
    if not plain:
        return "Enter a price"
    if not _DECIMAL.fullmatch(plain) or len(plain) > DIGITS_MAX:
        return "Not a price"
    price = Decimal(plain)
    return price if price > 0 else "Above zero"


@dataclass(frozen=True, slots=True)
class Change:
    """A modification of a working order; None leaves a field as it is."""

    quantity: int | None
    price: Decimal | None
    trigger_price: Decimal | None = None

    def body(self) -> dict[str, str | int]:
        """The changed fields as `PATCH /v1/orders/{order_id}` reads them."""
        body: dict[str, str | int] = {}
        if self.quantity is not None:
            body["quantity"] = self.quantity
        if self.price is not None:
            body["price"] = str(self.price)
        if self.trigger_price is not None:
            body["trigger_price"] = str(self.trigger_price)
        return body


def check_change(
    order: Order, quantity_text: str, price_text: str, trigger_text: str = ""
) -> Change | Errors:
    """Read a modification: quantity is the order's new total, not what is left of it. A trigger
    can change while the order waits for it."""
    errors: Errors = {}
    quantity = read_quantity(quantity_text)
    if isinstance(quantity, str):
        errors["quantity"] = quantity
    elif quantity < order.filled_quantity:
        filled = formats.quantity(order.filled_quantity)
        errors["quantity"] = f"{filled} are filled already"
    price = None if order.type in MARKET_TYPES else read_price(price_text)
    if isinstance(price, str):
        errors["price"] = price
    trigger = read_price(trigger_text) if order.is_waiting else None
    if isinstance(trigger, str):
        errors["trigger_price"] = trigger
    if errors or isinstance(quantity, str) or isinstance(price, str) or isinstance(trigger, str):
        return errors
    change = Change(
        quantity if quantity != order.quantity else None,
        price if price != order.price else None,
        trigger if trigger != order.trigger_price else None,
    )
    if change == Change(None, None):
        return {"order": "Nothing is changed"}
    return change


def place_failures(rules: Iterable[RuleFailure], target: Decimal | None = None) -> Errors:
    """Put each refusal at the field that would cure it, with the value that would pass them all.
    `target`: the order's, whose price breaks rules of the same codes as its own."""
    errors: Errors = {}
    strictest_first = sorted(rules, key=_allowed)
    for rule in strictest_first:
        field = _field(rule, target)
        errors.setdefault(field, _cure(rule, field) or rule.message or rule.code)
    return errors


def place_problem(problem: Problem, target: Decimal | None = None) -> Errors:
    """Put a refusal of the broker at its fields, and its words beside the whole order."""
    errors = place_failures(problem.rules, target)
    for error in problem.errors:
        field = "target_price" if error.field.endswith("target.price") else error.field
        field = "minutes" if field == "ends_at" else field.rpartition(".")[2]
        if field in FIELDS:
            errors.setdefault(field, error.message)
    if problem.code == "UNKNOWN_SYMBOL":
        errors["symbol"] = "not listed"
    words = in_words(problem.rules) or problem.detail or problem.title or problem.code
    return {**errors, "order": _sentence(words)}


def in_words(rules: Iterable[RuleFailure]) -> str:
    """Every broken rule in the broker's own words."""
    return _sentence("; ".join(rule.message or rule.code for rule in rules))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _allowed(rule: RuleFailure) -> float:
    """The quantity a rule would let through, so that the smallest one is shown."""
    return math.inf if rule.largest_quantity is None else rule.largest_quantity


_OF_A_PLAN = {
    "SLICES_OUT_OF_RANGE": "legs",
    "SLICE_BELOW_LOT": "legs",
    "ENDS_AFTER_SESSION": "minutes",
    "WINDOW_EMPTY": "minutes",
    "TARGET_PASSED": "target_price",
}
"""Where the rules that only plans and exits have are cured."""


def _field(rule: RuleFailure, target: Decimal | None) -> str:
    """A nearest price cures the price, a largest quantity the quantity; else the code names it."""
    code = rule.code.upper()
    if code in _OF_A_PLAN:
        return _OF_A_PLAN[code]
    if code.startswith("TRIGGER"):
        return "trigger_price"
    if rule.nearest_price is not None or "PRICE" in code or "TICK" in code:
        return "target_price" if _is_about(rule, target) else "price"
    if rule.largest_quantity is not None or "QUANTITY" in code or "LOT" in code:
        return "quantity"
    return "symbol" if code in ("NOT_TRADABLE", "UNKNOWN_SYMBOL") else "order"


def _is_about(rule: RuleFailure, price: Decimal | None) -> bool:
    """Whether the rule names this price as the one that breaks it."""
    return price is not None and rule.value is not None and str(rule.value) == f"{price:.2f}"


def _cure(rule: RuleFailure, field: str) -> str:
    nearest = rule.nearest_price
    if field in ("price", "trigger_price", "target_price") and nearest is not None:
        return f"→ {formats.amount(nearest)}"
    if field == "legs" and nearest is not None:
        return f"→ {nearest}"
    if field == "minutes" and rule.code == "ENDS_AFTER_SESSION":
        return "past the close"
    if field == "symbol":
        return "not tradable"
    if field == "quantity" and rule.largest_quantity is not None:
        if not rule.largest_quantity:
            return "none to sell" if rule.code == "INSUFFICIENT_HOLDINGS" else "none"
        return f"max {formats.quantity(rule.largest_quantity)}"
    return ""
