"""What the routes of functions/audit take and give. Money is rupees as text."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from functions.shared.access.audit_trail import Entry
from functions.shared.access.interventions import Halt, WatchedUser
from functions.shared.access.requests import OfficersRequest, RequestAction, RequestState
from functions.shared.access.roles import Role
from functions.shared.bookkeeping.intervening import NO_LIMITS, AccountLimits
from functions.shared.clock import micros
from functions.shared.domain.market_halts import HaltOrder
from functions.shared.domain.money import format_amount
from functions.shared.domain.sessions import Phase
from functions.shared.runtime.described import (
    AnswerModel,
    AverageText,
    CurrencyText,
    IdText,
    PriceText,
    Rupees,
    SymbolText,
    TimeText,
)
from functions.shared.runtime.fields import Amount, Integer, Request, amount_to, example, said
from functions.shared.wire.events import OrderFacts, format_time, render_order

HaltState = Literal["ACTIVE", "REDUCING", "HALTED"]
#: The most that a limit may say: beyond it, everybody's hold anyway.
_COUNT_MOST = 1_000_000
_VALUE_MOST = 10**15
Why = Annotated[
    str, Field(min_length=3, max_length=500, description="For the audit trail: no personal data")
]
UserId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,15}$", examples=["118253937935253"])]
Count = Annotated[Integer, Field(ge=0, le=_COUNT_MOST)]


class WhyBody(Request):
    model_config = example({"why": "asked for by the client, ticket 4711"})

    why: Why


class HaltTarget(Request):
    """One of the three, said aloud: nobody halts the market by leaving a field out."""

    symbol: Annotated[str | None, Field(max_length=40, min_length=1)] = None
    user_id: UserId | None = None
    market: Literal[True] | None = None
    why: Why

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if [self.symbol, self.user_id, self.market].count(None) != 2:
            raise ValueError("give one of symbol, user_id and market")
        return self


class HaltBody(HaltTarget):
    """Of a `symbol`, of a user, or of the whole `market`."""

    model_config = example({"symbol": "RELIANCE", "state": "HALTED", "why": "news awaited"})

    state: Annotated[
        HaltState, said("HALTED: no orders; REDUCING: only what closes; cancels always pass")
    ]


class LiftBody(HaltTarget):
    """Of a `symbol`, of a user, or of the whole `market`."""

    model_config = example({"symbol": "RELIANCE", "why": "the news is out"})


class BreakerBody(Request):
    """HALTED for `stop_minutes` (left out: until another word), then a call auction of
    `auction_minutes`; REOPENING: the call auction now; OPEN: trading now."""

    model_config = example(
        {"phase": "HALTED", "stop_minutes": 45, "auction_minutes": 15,
         "why": "as the exchange announced, circular 4711"}
    )  # fmt: skip

    phase: Literal["HALTED", "REOPENING", "OPEN"]
    stop_minutes: Annotated[Integer, Field(ge=1, le=1_440)] | None = None
    auction_minutes: Annotated[Integer, Field(ge=1, le=240)] = 15
    why: Why

    @field_validator("stop_minutes")
    @classmethod
    def _goes_with_a_halt(cls, minutes: int | None, body: ValidationInfo) -> int | None:
        if minutes is not None and body.data.get("phase", "HALTED") != "HALTED":
            raise ValueError("goes with phase HALTED")
        return minutes

    def order(self) -> HaltOrder:
        stop = None if self.stop_minutes is None else timedelta(minutes=self.stop_minutes)
        return HaltOrder(Phase(self.phase), stop, timedelta(minutes=self.auction_minutes))


class LimitsBody(Request):
    """What is left out, or null, is as for everybody."""

    model_config = example({"order_value": "100000.00", "open_orders": 20, "why": "new client"})

    order_value: Annotated[Amount, amount_to(_VALUE_MOST)] | None = None
    open_orders: Count | None = None
    per_second: Count | None = None
    per_minute: Count | None = None
    per_day: Count | None = None
    why: Why

    def limits(self) -> AccountLimits:
        return AccountLimits(
            self.order_value, self.open_orders, self.per_second, self.per_minute, self.per_day
        )


class RequestBody(Request):
    """A change of roles, or the erasure of a person whose account is closed and empty. What else
    needs a second officer has a route of its own."""

    model_config = example(
        {"action": "GRANT_ROLE", "user_id": "118253937935253", "role": "support", "why": "joined"}
    )

    action: Literal[RequestAction.GRANT_ROLE, RequestAction.REVOKE_ROLE, RequestAction.ERASE]
    user_id: UserId
    role: Annotated[Role | None, Field(validate_default=True)] = None
    why: Why

    @field_validator("role")
    @classmethod
    def _goes_with_the_action(cls, role: Role | None, body: ValidationInfo) -> Role | None:
        action = body.data.get("action")  # not there when it was refused itself
        if action is not None and (action is RequestAction.ERASE) != (role is None):
            raise ValueError("goes with a change of roles, which needs one")
        return role


class LimitsAnswer(AnswerModel):
    """A risk officer's; null: as for everybody."""

    order_value: Rupees | None
    open_orders: Annotated[int | None, Field(examples=[20])]
    per_second: Annotated[int | None, Field(examples=[5])]
    per_minute: Annotated[int | None, Field(examples=[None])]
    per_day: Annotated[int | None, Field(examples=[None])]


class AdminFunds(AnswerModel):
    """As the user's own `GET /v1/funds` shows them."""

    cash: Rupees
    held: Rupees
    available: Rupees
    borrowed: Rupees
    unsettled: Rupees
    blocked: Rupees
    withdrawable: Rupees
    currency: CurrencyText
    seq: Annotated[int, Field(examples=[42])]


class AdminAccount(AnswerModel):
    """The account where it lives: its state by everybody's word, and what it may."""

    state: HaltState
    account_class: Annotated[str, Field(examples=["RETAIL"])]
    limits: LimitsAnswer
    open_orders: Annotated[int, Field(examples=[3])]
    funds: AdminFunds


class AdminUser(AnswerModel):
    """A user without what identifies a person. `halt`: the risk officers' word; `pending`:
    something was decided that the account has yet to be told; `account` is null until it is
    open."""

    user_id: IdText
    username: Annotated[str, Field(examples=["as***"], description="Its first letters")]
    state: Annotated[str, Field(examples=["ACTIVE"])]
    roles: Annotated[list[str], Field(examples=[["user"]])]
    mode: Literal["PAPER", "LIVE"]
    region: Annotated[str, Field(examples=["IN"])]
    created_at: TimeText
    sessions: Annotated[int, Field(examples=[1])]
    halt: HaltState
    pending: Annotated[bool, Field(examples=[False])]
    account: AdminAccount | None


class AdminOrder(AnswerModel):
    """A user's order in short; `average_price` of what was filled."""

    order_id: IdText
    symbol: SymbolText
    side: Annotated[str, Field(examples=["BUY"])]
    type: Annotated[str, Field(examples=["LIMIT"])]
    product: Annotated[str, Field(examples=["CNC"])]
    validity: Annotated[str, Field(examples=["DAY"])]
    quantity: Annotated[int, Field(examples=[10])]
    filled_quantity: Annotated[int, Field(examples=[4])]
    price: PriceText | None
    trigger_price: PriceText | None
    average_price: AverageText | None
    status: Annotated[str, Field(examples=["OPEN"])]
    pending_change: Annotated[str | None, Field(examples=[None])]
    reason: Annotated[dict[str, str] | None, Field(examples=[None])]
    created_at: TimeText
    updated_at: TimeText
    version: Annotated[int, Field(examples=[2])]


class AdminOrderList(AnswerModel):
    """Orders, newest first; `next` is the cursor of the following page."""

    items: list[AdminOrder]
    next: Annotated[IdText | None, Field(examples=[None])]


class DecisionAnswer(BaseModel):
    """What was decided, by its entry in the audit trail. `applied` is false while some shard has
    yet to be told, which takes a minute at most once it answers."""

    audit_id: IdText
    applied: Annotated[bool, Field(examples=[True])]


class RequestAnswer(BaseModel):
    """A request for what needs two officers. `detail` is what it is about: symbol and state,
    limits, role. `audit_id` is the entry of what was done when it has just been approved."""

    request_id: IdText
    action: RequestAction
    user_id: IdText | None
    detail: Annotated[dict[str, object], Field(examples=[{"role": "support"}])]
    role: Annotated[str, Field(examples=["risk_officer"], description="That both officers hold")]
    why: Annotated[str, Field(examples=["joined the team"])]
    state: RequestState
    asked_by: IdText
    asked_at: TimeText
    expires_at: TimeText
    decided_by: IdText | None
    decided_at: TimeText | None
    decided_why: Annotated[str | None, Field(examples=[None])]
    audit_id: IdText | None = None
    applied: Annotated[bool | None, Field(examples=[None])] = None


class RequestList(BaseModel):
    items: list[RequestAnswer]
    next: Annotated[str | None, Field(examples=[None])]


class HaltItem(BaseModel):
    """`symbol` is null for the whole market, `by` for the machine's operator; `why` is the words of
    who set it."""

    symbol: SymbolText | None
    state: HaltState
    audit_id: IdText
    by: IdText | None
    since: TimeText
    why: Annotated[str | None, Field(examples=["news awaited"])]


class HaltList(BaseModel):
    items: list[HaltItem]
    next: None = None


class TrailItem(BaseModel):
    """Who did what to whom, in which role, from where and why. `actor` is null for the system and
    for strangers."""

    audit_id: IdText
    time: TimeText
    actor: IdText | None
    role: Annotated[str, Field(examples=["support"])]
    subject: IdText | None
    action: Annotated[str, Field(examples=["ACCOUNT_FROZEN"])]
    network: Annotated[str | None, Field(examples=["203.0.113.7"])]
    why: Annotated[str | None, Field(examples=["asked for by the client"])]
    detail: Annotated[dict[str, object], Field(examples=[{"from": "ACTIVE"}])]


class TrailList(BaseModel):
    items: list[TrailItem]
    next: Annotated[str | None, Field(examples=[None])]


def request_answer(
    found: OfficersRequest, audit_id: int | None = None, applied: bool | None = None
) -> RequestAnswer:
    return RequestAnswer(
        request_id=str(found.request_id),
        action=found.action,
        user_id=_id(found.user_id),
        detail=_readable(found.detail),
        role=found.role,
        why=found.why,
        state=found.state,
        asked_by=str(found.asked_by),
        asked_at=format_time(micros(found.asked_at)),
        expires_at=format_time(micros(found.expires_at)),
        decided_by=_id(found.decided_by),
        decided_at=None if found.decided_at is None else format_time(micros(found.decided_at)),
        decided_why=found.decided_why,
        audit_id=_id(audit_id),
        applied=applied,
    )


def halt_item(halt: Halt) -> HaltItem:
    return HaltItem(
        symbol=halt.symbol or None,
        state=halt.state,
        audit_id=str(halt.audit_id),
        by=_id(halt.actor),
        since=format_time(micros(halt.since)),
        why=halt.why,
    )


def trail_item(entry: Entry) -> TrailItem:
    return TrailItem(
        audit_id=str(entry.audit_id),
        time=format_time(micros(entry.at)),
        actor=_id(entry.actor),
        role=entry.actor_role,
        subject=_id(entry.subject),
        action=entry.action,
        network=entry.network,
        why=entry.why,
        detail=_readable(entry.detail),
    )


def render_user(user_id: int, user: WatchedUser, account: object) -> dict[str, object]:
    return {
        "user_id": str(user_id),
        "username": f"{user.username[:2]}***",
        "state": user.state,
        "roles": user.roles,
        "mode": user.mode,
        "region": user.region,
        "created_at": format_time(micros(user.created_at)),
        "sessions": user.sessions,
        "halt": user.halt,
        "pending": user.pending,
        "account": account,
    }


def render_limits(limits: AccountLimits = NO_LIMITS) -> dict[str, object]:
    value = limits.order_value
    return {
        "order_value": None if value is None else format_amount(value),
        "open_orders": limits.open_orders,
        "per_second": limits.per_second,
        "per_minute": limits.per_minute,
        "per_day": limits.per_day,
    }


def render_order_in_short(order: OrderFacts) -> dict[str, object]:
    whole = render_order(order)
    return {name: whole[name] for name in AdminOrder.model_fields}


def _readable(detail: Mapping[str, object]) -> dict[str, object]:
    """Limits are kept as the account has them, a list; by name they say what they are."""
    return {
        name: render_limits(AccountLimits(*each)) if isinstance(each, list) else each
        for name, each in detail.items()
    }


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)
