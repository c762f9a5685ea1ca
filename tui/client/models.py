"""The terminal's own view of what the broker answers and pushes.

Prices and amounts arrive as JSON strings and stay exact decimals from the first byte; unknown
fields are ignored, so that a broker may add to its answers without breaking terminals in the field.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")

WORKING = frozenset({"PENDING", "OPEN", "PARTIALLY_FILLED", "TRIGGER_PENDING"})
"""Statuses from which an order can still trade."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a sign-in or a refresh; `expires_in` is in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    session_id: str = ""
    device_token: str | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, and whether the money is real (`mode` is PAPER or LIVE)."""

    user_id: str
    username: str
    mode: str
    roles: list[str] = []
    region: str = ""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order ended as it did."""

    code: str = ""
    message: str = ""


class StopExit(msgspec.Struct, frozen=True, kw_only=True):
    """The exit that limits a loss; without a `price` at the market."""

    trigger_price: Decimal
    price: Decimal | None = None


class TargetExit(msgspec.Struct, frozen=True, kw_only=True):
    """The exit that takes a gain."""

    price: Decimal


class Exits(msgspec.Struct, frozen=True, kw_only=True):
    """How an order's shares are to be left again; they come to life with its fills."""

    stop: StopExit
    target: TargetExit


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as last reported; a higher `version` is newer. Of two exits that wait together
    (`leg` STOP and TARGET, one `group_id`) one is to fill; `parent_order_id` is their entry, or
    the plan that placed the order."""

    order_id: str
    symbol: str
    side: str
    type: str
    quantity: int
    status: str
    version: int
    client_order_id: str | None = None
    exchange: str = "NSE"
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    product: str = "CNC"
    validity: str = "DAY"
    filled_quantity: int = 0
    remaining_quantity: int | None = None
    average_price: Decimal | None = None
    reason: Reason | None = None
    pending_change: str | None = None
    parent_order_id: str | None = None
    group_id: str | None = None
    leg: str | None = None
    exits: Exits | None = None
    trail: Decimal | None = None
    releases_at: datetime | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    user_seq: int = 0

    @property
    def is_working(self) -> bool:
        """Whether it can still trade, and so be cancelled or modified."""
        return self.status in WORKING

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a price, and the exchange has not heard of it."""
        return self.status == "TRIGGER_PENDING" and self.trigger_price is not None


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order that waited went out: its time (`why` TIME), or a trade at `price`."""

    why: str
    time: datetime
    price: Decimal | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step came to be, the order or plan that it came from, and the words of who decided."""

    code: str
    order_id: str | None = None
    message: str | None = None


class HistoryStep(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an order's life and the status after it."""

    seq: int
    time: datetime
    kind: str
    status: str | None = None
    trigger: Trigger | None = None
    cause: Cause | None = None


class OrderDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An order's whole life, oldest first, and the orders that are linked with it."""

    order_id: str
    history: list[HistoryStep]
    linked: list[Order] = []


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a plan. `due_at` is null where the slice before decides; `quantity` is what its
    order was placed for, null while it has none."""

    number: int
    planned_quantity: int
    state: str
    due_at: datetime | None = None
    quantity: int | None = None
    filled_quantity: int = 0
    order_id: str | None = None
    status: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """An order in slices (ICEBERG, TWAP, VWAP). The stream tells of it without its slices and what
    they came to: `slices` is null then."""

    plan_id: str
    kind: str
    symbol: str
    side: str
    quantity: int
    state: str
    version: int
    starts_at: datetime
    ends_at: datetime
    client_id: str | None = None
    product: str = "CNC"
    price: Decimal | None = None
    participation_percent: int | None = None
    reason: Reason | None = None
    created_at: datetime | None = None
    filled_quantity: int = 0
    average_price: Decimal | None = None
    slices: list[Slice] | None = None
    user_seq: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it may still trade, or its last order may."""
        return self.state in ("ACTIVE", "CANCELLING")


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the account's owner must know."""

    code: str
    message: str
    user_seq: int
    order_id: str | None = None
    symbol: str = ""


class OtherEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the account that changes nothing on screen: its number alone counts."""

    user_seq: int


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of an order; `exec_id` is unique per trade date and venue."""

    order_id: str
    symbol: str
    side: str
    quantity: int
    price: Decimal
    exec_id: str
    user_seq: int
    product: str = "CNC"
    time: datetime | None = None


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """The money of the account after event `seq` of its ledger. `unsettled` sale proceeds can't
    leave yet, and what of them is `blocked` can't be spent yet."""

    cash: Decimal
    held: Decimal
    available: Decimal
    seq: int = 0
    borrowed: Decimal = Decimal(0)
    unsettled: Decimal = Decimal(0)
    blocked: Decimal = Decimal(0)
    withdrawable: Decimal | None = None
    currency: str = "INR"
    user_seq: int = 0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What is owned of one symbol: what has settled, what settles next (`t1`) and what was bought
    today. `free_quantity` can be sold; `average_price` (four decimals) is null at none."""

    symbol: str
    quantity: int
    settled: int | None = None
    t1: int = 0
    bought_today: int = 0
    average_price: Decimal | None = None
    cost: Decimal | None = None
    free_quantity: int | None = None
    ltp: Decimal | None = None
    user_seq: int = 0


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What today's trades in a symbol come to, by product. `quantity` is below zero when more was
    sold than bought; `average_price` is of what is open, null at none."""

    symbol: str
    product: str
    quantity: int
    average_price: Decimal | None = None
    buy_quantity: int = 0
    sell_quantity: int = 0
    realised_pnl: Decimal = Decimal(0)
    ltp: Decimal | None = None
    user_seq: int = 0

    @property
    def key(self) -> str:
        """What no other position of the account has."""
        return f"{self.product}:{self.symbol}"


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The last value of one symbol; `timestamp` is the exchange's time in milliseconds."""

    symbol: str
    ltp: Decimal
    change: Decimal | None = None
    change_percent: Decimal | None = None
    seq: int = 0
    timestamp: int = 0
    volume: int | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What is listed under a symbol; `kind` is EQUITY, or INDEX for what only has a price."""

    symbol: str
    kind: str
    name: str = ""

    @property
    def is_tradable(self) -> bool:
        """Whether it can be bought and sold."""
        return self.kind == "EQUITY"


class RuleFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One rule an order breaks, with what would pass: the nearest price (of a plan's rule a count
    or a time), or the largest quantity."""

    code: str
    message: str = ""
    value: str | int | None = None
    limit: str | int | None = None
    nearest: str | None = None
    largest_quantity: int | None = None

    @property
    def nearest_price(self) -> Decimal | None:
        """`nearest` where it is a number."""
        try:
            return None if self.nearest is None else Decimal(self.nearest)
        except InvalidOperation:
            return None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would cost, and every rule it would break, without placing it."""

    accepted: bool
    rules: list[RuleFailure] = []
    price: Decimal | None = None
    """What the broker would send; for MARKET the worst price it lets the order trade at."""
    value: Decimal | None = None
    charges: dict[str, Decimal] | None = None
    margin: Decimal | None = None
    available_after: Decimal | None = None
    largest_quantity: int | None = None

    @property
    def total_charges(self) -> Decimal | None:
        """The broker's own total, or the sum of the heads when it names none."""
        if self.charges is None:
            return None
        return self.charges.get("total", sum(self.charges.values(), Decimal(0)))


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """What is malformed in one field of a request."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An `application/problem+json` body (RFC 9457) with the broker's stable `code`."""

    title: str = ""
    status: int = 0
    code: str = "unknown"
    detail: str = ""
    order_id: str | None = None
    challenge_id: str | None = None
    request_id: str | None = None
    rules: list[RuleFailure] = []
    errors: list[FieldError] = []

    def __str__(self) -> str:
        """All that finds the failure again: its code, its detail and the request's id."""
        words = [self.code, self.detail or self.title]
        if self.request_id:
            words.append(f"request {self.request_id}")
        return " · ".join(word for word in words if word)


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list; `next` is the cursor of the page after it."""

    items: list[Item]
    next: str | None = None


PrivateEvent = Order | Fill | Funds | Holding | Position | Plan | Alert | OtherEvent
"""What the stream pushes about the user's own account; each carries a `user_seq`."""
