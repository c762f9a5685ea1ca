"""The order ticket: what is typed, whether it can be an order, and where a refusal belongs.

Only what needs no market data is checked here; ticks, bands, funds and holdings are the broker's
to judge, and its preview is shown while the user types.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tui.client.models import Order, Problem, RuleFailure
from tui.state import formats

DIGITS_MAX = 18
"""The contract reads numbers of at most this many digits."""

MARKET_TYPES = frozenset({"MARKET", "STOP"})
"""They name no price: what they trade at is the market's."""
STOP_TYPES = frozenset({"STOP", "STOP_LIMIT"})
"""They wait with the broker until a trade reaches their trigger."""

_WHOLE = re.compile(r"[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Draft:
    """The ticket's fields as they stand, text where text is typed."""

    symbol: str = ""
    side: str = "BUY"
    type: str = "LIMIT"
    quantity: str = ""
    price: str = ""
    trigger_price: str = ""
    product: str = "CNC"
    validity: str = "DAY"

    @property
    def waits(self) -> bool:
        """Whether it is to wait with the broker for a price."""
        return self.type in STOP_TYPES or self.validity == "GTT"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order, not yet sent. `price` is None for MARKET and STOP, `trigger_price` for
    what doesn't wait."""

    symbol: str
    side: str
    type: str
    quantity: int
    price: Decimal | None
    product: str
    validity: str
    trigger_price: Decimal | None = None

    def body(self) -> dict[str, str | int | None]:
        """The request as `POST /v1/orders` reads it, without its client_order_id."""
        body: dict[str, str | int | None] = {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "quantity": self.quantity,
            "product": self.product,
            "validity": self.validity,
        }
        if self.price is not None:
            body["price"] = str(self.price)
        if self.trigger_price is not None:
            body["trigger_price"] = str(self.trigger_price)
        return body


Errors = dict[str, str]
"""A message by field of FIELDS, or "order" for what belongs to none."""

FIELDS = ("symbol", "quantity", "trigger_price", "price")
"""What is typed, and may be wrong."""


def check(draft: Draft) -> OrderRequest | Errors:
    """Read the draft as an order, or say what is missing, field by field."""
    errors: Errors = {}
    symbol = draft.symbol.strip().upper()
    if not symbol:
        errors["symbol"] = "Choose a symbol"
    quantity = read_quantity(draft.quantity)
    if isinstance(quantity, str):
        errors["quantity"] = quantity
    price = None if draft.type in MARKET_TYPES else read_price(draft.price)
    if isinstance(price, str):
        errors["price"] = price
    trigger = read_price(draft.trigger_price) if draft.waits else None
    if isinstance(trigger, str):
        errors["trigger_price"] = trigger
    if errors or isinstance(quantity, str) or isinstance(price, str) or isinstance(trigger, str):
        return errors
    return OrderRequest(
        symbol, draft.side, draft.type, quantity, price, draft.product, draft.validity, trigger
    )


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


def place_failures(rules: Iterable[RuleFailure]) -> Errors:
    """Put each refusal at the field that would cure it, with the value that would pass them all."""
    errors: Errors = {}
    strictest_first = sorted(rules, key=_allowed)
    for rule in strictest_first:
        field = _field(rule)
        errors.setdefault(field, _cure(rule, field) or rule.message or rule.code)
    return errors


def place_problem(problem: Problem) -> Errors:
    """Put a refusal of the broker at its fields, and its words beside the whole order."""
    errors = place_failures(problem.rules)
    for error in problem.errors:
        if error.field in FIELDS:
            errors.setdefault(error.field, error.message)
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


def _field(rule: RuleFailure) -> str:
    """A nearest price cures the price, a largest quantity the quantity; else the code names it."""
    code = rule.code.upper()
    if code.startswith("TRIGGER"):
        return "trigger_price"
    if rule.nearest is not None or "PRICE" in code or "TICK" in code:
        return "price"
    if rule.largest_quantity is not None or "QUANTITY" in code or "LOT" in code:
        return "quantity"
    return "symbol" if code in ("NOT_TRADABLE", "UNKNOWN_SYMBOL") else "order"


def _cure(rule: RuleFailure, field: str) -> str:
    if field in ("price", "trigger_price") and rule.nearest is not None:
        return f"→ {formats.amount(rule.nearest)}"
    if field == "symbol":
        return "not tradable"
    if field == "quantity" and rule.largest_quantity is not None:
        if not rule.largest_quantity:
            return "none to sell" if rule.code == "INSUFFICIENT_HOLDINGS" else "none"
        return f"max {formats.quantity(rule.largest_quantity)}"
    return ""
