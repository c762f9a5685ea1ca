"""What stands behind one order, from what was asked to the money that moved."""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from tui.client.models import Cause, RuleFailure, Trigger


class StepRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was asked for, and by whom."""

    action: str
    by: str


class StepFill(msgspec.Struct, frozen=True, kw_only=True):
    """What traded in a step."""

    exec_id: str
    quantity: int
    price: Decimal


class ChainStep(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the order's life; `seq` is its place in the account's ledger."""

    seq: int
    time: datetime
    kind: str
    status: str | None = None
    quantity: int | None = None
    price: Decimal | None = None
    request: StepRequest | None = None
    fill: StepFill | None = None
    busted: StepFill | None = None
    rules: list[RuleFailure] = []
    trigger: Trigger | None = None
    cause: Cause | None = None


class ChainFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution with what it cost, head by head."""

    exec_id: str
    quantity: int
    price: Decimal
    value: Decimal
    charges: Decimal
    charges_by_head: dict[str, Decimal]
    settles_on: date


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one event did to the account's money, and what it left."""

    seq: int
    kind: str
    cash_change: Decimal
    held_change: Decimal
    cash: Decimal
    held: Decimal


class OrderChain(msgspec.Struct, frozen=True, kw_only=True):
    """An order's steps, oldest first, its fills, and (`ledger`, asked for apart) its money."""

    order_id: str
    history: list[ChainStep]
    fills: list[ChainFill] = []
    venue_order_id: str | None = None
    client_order_id: str | None = None
    ledger: list[LedgerRow] = []
