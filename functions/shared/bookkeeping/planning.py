"""Orders in slices, in the books: opening a plan, noting what became of its slices, ending it.

Invariant: a plan's row moves no money and holds nothing; what it did is told by its orders. Every
change is decided under the account's lock, so that it may be asked for again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import msgspec

from functions.shared.domain.calendar import Hours
from functions.shared.domain.errors import Conflict, NotFound, Refused
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.plans import PLANS_MAX, SLICE_PREFIX, End, PlanKind, PlanState
from functions.shared.domain.volume_curve import VolumeCurve
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.plans import (
    PlanFacts,
    PlannedSlice,
    SliceFacts,
    decode_plan,
    decode_slices,
)

from .settling import PAGE

_OPEN = (
    "SELECT outcome, plan_number FROM ledger.open_plan(:user_id, :plan, :slices, :fingerprint,"
    " :plans_max, :today, :now)"
)
_ONE = (
    "SELECT ledger.plan_facts(p)::text, ledger.plan_slices(p)::text FROM ledger.plan p"
    " WHERE p.plan_id = :plan_id AND p.user_id = :user_id"
)
_LIST = (
    "SELECT ledger.plan_facts(p)::text, ledger.plan_slices(p)::text FROM ledger.plan p"
    " WHERE p.user_id = :user_id AND (:before::bigint IS NULL OR p.plan_id < :before)"
    " AND (:state::text IS NULL OR p.state = :state) ORDER BY p.plan_id DESC LIMIT :rows"
)
_NOTE = "SELECT ledger.note_slice(:user_id, :plan_id, :number, :market_volume, :today, :now)"
_CANCEL = "SELECT ledger.cancel_plan(:user_id, :plan_id, :today, :now)"
_END = "SELECT ledger.end_plan(:user_id, :plan_id, :state, :code, :reason, :today, :now)"
_WORKED = (
    "SELECT user_id, plan_id FROM ledger.plan WHERE state IN ('ACTIVE', 'CANCELLING')"
    " AND plan_id > :after AND EXISTS (SELECT FROM ledger.slot s"
    " WHERE s.slot = (user_id & 63)::smallint AND s.state = 'HERE') ORDER BY plan_id LIMIT :rows"
)
_CURVE = (
    "SELECT DISTINCT ON (symbol = '*') begins, minutes, volumes, source, valid_from"
    " FROM ledger.volume_curve"
    " WHERE symbol IN (:symbol, '*') AND hours = :hours AND valid_from <= :day"
    " ORDER BY symbol = '*', valid_from DESC"
)
_OF_ORDERS = (
    "SELECT DISTINCT user_id, parent_order_id FROM ledger.orders"
    f" WHERE order_id = ANY(:orders::bigint[]) AND client_order_id LIKE '{SLICE_PREFIX}%'"
)


@dataclass(frozen=True, slots=True)
class PlanOf:
    """A plan and whose it is."""

    user_id: int
    plan_id: int


#: Before every plan there is.
FIRST: Final = PlanOf(0, 0)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan as it is to be opened: `price` in ten-thousandths of a rupee, `participation` in per
    cent; `asked`: the client's own words in one form, which its id stands for."""

    client_id: str
    kind: PlanKind
    symbol: str
    side: Side
    product: Product
    quantity: int
    price: int | None
    participation: int | None
    curve: str | None
    trade_date: date
    starts_at: datetime
    ends_at: datetime
    slices: tuple[PlannedSlice, ...]
    asked: bytes

    def as_json(self) -> str:
        """The columns that the client decides."""
        columns = ("client_id", "kind", "symbol", "side", "product", "quantity", "price",
                   "participation", "curve", "trade_date", "starts_at", "ends_at")  # fmt: skip
        return msgspec.json.encode({name: getattr(self, name) for name in columns}).decode()


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan's row and its slices, each with its order."""

    facts: PlanFacts
    slices: tuple[SliceFacts, ...]


def fingerprint(asked: bytes) -> bytes:
    """What a plan's id stands for: sha256 of what was asked."""
    return hashlib.sha256(asked).digest()


def open_plan(
    shards: Shards, user_id: int, wanted: NewPlan, today: date, now: datetime
) -> tuple[Literal["OPENED", "REPLAY", "TOO_MANY"], int]:
    """The outcome and the plan's number (0: none, the account has too many open). Raises Conflict
    ID_REUSED for an id that stands for another plan, Retryable when the ledger can't answer."""
    outcome, plan_id = shards.of_user(user_id).call(
        _OPEN,
        user_id=user_id,
        plan=wanted.as_json(),
        slices=msgspec.json.encode(wanted.slices).decode(),
        fingerprint=fingerprint(wanted.asked),
        plans_max=PLANS_MAX,
        today=today,
        now=now,
    )[0]
    if outcome == "KEY_REUSED":
        raise Conflict("ID_REUSED", f"{wanted.client_id} was used for another plan")
    return outcome, plan_id or 0


def recall(shards: Shards, user_id: int, client_id: str, asked: bytes) -> int | None:
    """The plan that an id was used for before, None for a new one. Raises Conflict ID_REUSED."""
    rows = shards.of_user(user_id).run(
        "SELECT plan_id, fingerprint FROM ledger.plan"
        " WHERE user_id = :user_id AND client_id = :client_id",
        user_id=user_id, client_id=client_id,
    )  # fmt: skip
    if not rows:
        return None
    plan_id, known = rows[0]
    if bytes(known) != fingerprint(asked):
        raise Conflict("ID_REUSED", f"{client_id} was used for another plan")
    return int(plan_id)


def view(shards: Shards, user_id: int, plan_id: int) -> PlanView:
    """Raises NotFound unless it is this user's."""
    rows = shards.of_user(user_id).run(_ONE, user_id=user_id, plan_id=plan_id)
    if not rows:
        raise NotFound(f"no plan {plan_id}")
    return PlanView(decode_plan(rows[0][0]), decode_slices(rows[0][1]))


def views(
    shards: Shards, user_id: int, rows: int, before: int | None, state: PlanState | None
) -> list[PlanView]:
    """A page of the user's plans, newest first, before one's number and in a state if given."""
    found = shards.of_user(user_id).run(
        _LIST, user_id=user_id, rows=rows, before=before,
        state=None if state is None else state.value,
    )  # fmt: skip
    return [PlanView(decode_plan(plan), decode_slices(slices)) for plan, slices in found]


def volume_curves(
    shards: Shards, user_id: int, symbol: str, hours: Hours, on: date
) -> list[VolumeCurve]:
    """The curves in force on a day: the symbol's own, if it has one, before that of all. Raises
    Refused 503 NO_RULES when there is neither."""
    rows = shards.of_user(user_id).run(_CURVE, symbol=symbol, hours=hours, day=on)
    if not rows:
        raise Refused(503, "NO_RULES", f"no volume curve of {symbol} on {on}")
    return [VolumeCurve(*row) for row in rows]


def note(
    shards: Shards, plan: PlanOf, number: int, market_volume: int | None, today: date, now: datetime
) -> bool:
    """Writes down the order that a slice became; whether it was written now."""
    rows = shards.of_user(plan.user_id).call(
        _NOTE, user_id=plan.user_id, plan_id=plan.plan_id, number=number,
        market_volume=market_volume, today=today, now=now,
    )  # fmt: skip
    return bool(rows[0][0])


def request_end(shards: Shards, plan: PlanOf, today: date, now: datetime) -> None:
    """Asks a plan to end: it places nothing from here on. Raises NotFound, and Conflict ORDER_ENDED
    when it has ended."""
    rows = shards.of_user(plan.user_id).call(
        _CANCEL, user_id=plan.user_id, plan_id=plan.plan_id, today=today, now=now
    )
    if rows[0][0] == "NOT_FOUND":
        raise NotFound(f"no plan {plan.plan_id}")
    if rows[0][0] == "NOT_WORKING":
        raise Conflict("ORDER_ENDED", "the plan has ended")


def end(shards: Shards, plan: PlanOf, ending: End, today: date, now: datetime) -> bool:
    """Ends a plan of which nothing works; whether it ended now."""
    rows = shards.of_user(plan.user_id).call(
        _END, user_id=plan.user_id, plan_id=plan.plan_id, state=ending.state.value,
        code=ending.reason_code, reason=ending.reason, today=today, now=now,
    )  # fmt: skip
    return bool(rows[0][0])


def open_plans(database: Database, after: PlanOf = FIRST) -> list[PlanOf]:
    """A page of the shard's plans that have not ended, in the order of their numbers."""
    return [PlanOf(*row) for row in database.run(_WORKED, after=after.plan_id, rows=PAGE)]


def plans_of_orders(database: Database, orders: Sequence[int]) -> list[PlanOf]:
    """The plans that placed any of these orders of a shard."""
    return [PlanOf(*row) for row in database.run(_OF_ORDERS, orders=list(orders))]
