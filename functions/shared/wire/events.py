"""Ledger events as they leave the database: relay -> stream and user channel -> fanout. JSON.

Invariant: an event is stored once, in integers, and rendered for clients by one function, so the
HTTP answer and the pushed message can't differ. All objects of one event share its `user_seq`.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from functions.shared.clock import format_time as format_time
from functions.shared.domain.charges import HEADS
from functions.shared.domain.money import (
    divide_half_up,
    format_amount,
    format_decimal,
    format_price,
)
from functions.shared.domain.orders import WORKING, Variety
from functions.shared.wire.alerts import AlertFacts, PriceReached, render_alert, render_reached
from functions.shared.wire.exits import ExitFacts, render_exits
from functions.shared.wire.plans import PlanFacts, render_plan


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An order's row. Prices in ten-thousandths of a rupee, `traded_value` in paise, times in
    microseconds since 1970. `trigger_price` and `releases_at`: what it waits for, or waited;
    `trigger_above`: prices reach the trigger from below; `disclosed_quantity`: shares shown at a
    time; `cancel_waits`: a cancel goes out when the change in flight is answered. `group_id` and
    `leg`: of two exits that wait together, which pair and which of the two; `exits`: the legs that
    an entry's fills bring to life."""

    order_id: int
    client_order_id: str
    venue_order_id: str | None
    symbol: str
    side: str
    type: str
    quantity: int
    disclosed_quantity: int | None = None
    price: int | None
    parent_order_id: int | None = None
    group_id: int | None = None
    leg: str | None = None
    exits: list[ExitFacts] | None = None
    trail: int | None = None
    trigger_price: int | None = None
    trigger_above: bool | None = None
    releases_at: int | None = None
    expires_at: int | None = None
    product: str
    validity: str
    status: str
    filled_quantity: int
    traded_value: int
    pending_change: str | None
    cancel_waits: bool = False
    reason_code: str | None
    reason: str | None
    rules: list[dict[str, object]] | None = None
    created_at: int
    updated_at: int
    version: int


class TriggerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What released an order that waited: its time, or a trade at `price` (ten-thousandths of a
    rupee) in the symbol's quote `seq`. `seen_at` in microseconds since 1970, of the business clock;
    the exchange's time in milliseconds."""

    why: Literal["PRICE", "TIME"]
    seen_at: int
    price: int | None = None
    seq: int | None = None
    timestamp_ms: int | None = None


class FillFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One execution: `price` in ten-thousandths of a rupee, `value` and `charges` in paise; `heads`
    are the charges by head, in the order of `domain.charges.HEADS`."""

    order_id: int
    exec_id: str
    symbol: str
    side: str
    product: str
    quantity: int
    price: int
    value: int
    charges: int
    heads: tuple[int, ...]
    trade_date: str
    settles_on: str
    at: int


class FundsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An account after the event, in paise. `unsettled`: sale proceeds that can't leave yet;
    `blocked`: the part of them that can't be spent yet either."""

    cash: int
    held: int
    borrowed: int
    unsettled: int
    blocked: int
    seq: int


class HoldingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery holding after the event. `cost` in paise; quantities in shares."""

    symbol: str
    quantity: int
    settled: int
    t1: int
    bought_today: int
    open_sell: int
    pledged: int
    cost: int


class PositionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a day's trades in a symbol come to: `net` shares, signed, entered at `open_value`, and
    `realised` on what was closed; `margin` is what an intraday one and its orders hold. Paise."""

    symbol: str
    product: str
    trade_date: str
    net: int
    open_value: int
    buy_quantity: int
    buy_value: int
    sell_quantity: int
    sell_value: int
    realised: int
    margin: int


class UserEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What the user's channel carries and the ledger gives back on a resume."""

    user_id: int
    user_seq: int
    kind: str
    at: int
    body: "EventBody"


class EventBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The objects an event changed, as they are after it."""

    v: Literal[1] = 1
    order: OrderFacts | None = None
    fill: FillFacts | None = None
    funds: FundsFacts | None = None
    holding: HoldingFacts | None = None
    position: PositionFacts | None = None
    alert: AlertFacts | None = None
    reached: PriceReached | None = None
    plan: PlanFacts | None = None


class _StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A UserEvent whose body is the stored text itself, unread."""

    user_id: int
    user_seq: int
    kind: str
    at: int
    body: msgspec.Raw


_body_decoder = msgspec.json.Decoder(EventBody)
_event_decoder = msgspec.json.Decoder(UserEvent)
_order_decoder = msgspec.json.Decoder(OrderFacts)
_fill_decoder = msgspec.json.Decoder(FillFacts)
_holding_decoder = msgspec.json.Decoder(HoldingFacts)
_position_decoder = msgspec.json.Decoder(PositionFacts)
_encoder = msgspec.json.Encoder()

_CARRIED = "the session ended; what is left goes on in the next one, as an order of its own"
LEDGER_EVENTS_STREAM = "ledger-events"
USER_TAGS = 64


def user_channel(user_id: int) -> str:
    """The Valkey channel that wakes the fanout nodes where the user is connected. Its hash tag is
    one of USER_TAGS: a node with 10,000 users asks a cluster for that many slots, not for each."""
    return f"user:{{u{user_id % USER_TAGS:02d}}}:{user_id}"


def user_of_channel(channel: bytes) -> int | None:
    """Whose channel it is; None when it is not a user's."""
    return int(channel.rpartition(b":")[2]) if channel.startswith(b"user:") else None


def decode_body(text: str | bytes) -> EventBody:
    return _body_decoder.decode(text)


def decode_order(text: str | bytes) -> OrderFacts:
    return _order_decoder.decode(text)


def decode_fill(text: str | bytes) -> FillFacts:
    return _fill_decoder.decode(text)


def decode_holding(text: str | bytes) -> HoldingFacts:
    return _holding_decoder.decode(text)


def decode_position(text: str | bytes) -> PositionFacts:
    return _position_decoder.decode(text)


def decode_event(data: bytes) -> UserEvent:
    return _event_decoder.decode(data)


def encode_event(event: UserEvent) -> bytes:
    return _encoder.encode(event)


def encode_stored_event(user_id: int, user_seq: int, kind: str, at: int, body: str) -> bytes:
    """The UserEvent of a row of the log, its body byte for byte (its hash covers them)."""
    raw = msgspec.Raw(body.encode())
    return _encoder.encode(
        _StoredEvent(user_id=user_id, user_seq=user_seq, kind=kind, at=at, body=raw)
    )


def render_order(order: OrderFacts) -> dict[str, object]:
    """The order as clients see it, over HTTP and on the stream."""
    reason = None
    if order.reason_code is not None:
        reason = {"code": order.reason_code, "message": _CARRIED if _goes_on(order)
                  else order.reason or ""}  # fmt: skip
    working = order.status in WORKING
    return {
        "order_id": str(order.order_id),
        "client_order_id": order.client_order_id,
        "parent_order_id": None if order.parent_order_id is None else str(order.parent_order_id),
        "group_id": None if order.group_id is None else str(order.group_id),
        "leg": order.leg,
        "exits": None if order.exits is None else render_exits(order.exits),
        "venue_order_id": order.venue_order_id,
        "symbol": order.symbol,
        "exchange": "NSE",
        "side": order.side,
        "type": order.type,
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed_quantity,
        "price": None if order.price is None else format_price(order.price),
        "variety": Variety.REGULAR if order.releases_at is None else Variety.AMO,
        "trigger_price": None if order.trigger_price is None else format_price(order.trigger_price),
        "trail": None if order.trail is None else format_price(order.trail),
        "product": order.product,
        "validity": order.validity,
        "releases_at": None if order.releases_at is None else format_time(order.releases_at),
        "expires_at": None if order.expires_at is None else format_time(order.expires_at),
        "status": order.status,
        "pending_change": "CANCEL" if order.cancel_waits else order.pending_change,
        "filled_quantity": order.filled_quantity,
        "remaining_quantity": order.quantity - order.filled_quantity if working else 0,
        "average_price": format_average(order.traded_value, order.filled_quantity),
        "traded_value": format_amount(order.traded_value),
        "reason": reason,
        "created_at": format_time(order.created_at),
        "updated_at": format_time(order.updated_at),
        "version": order.version,
    }


def _goes_on(order: OrderFacts) -> bool:
    """Whether a GTC order's session ended, and not its last."""
    if (order.validity, order.reason_code) != ("GTC", "DAY_ENDED") or order.expires_at is None:
        return False
    return order.expires_at > order.updated_at and order.filled_quantity < order.quantity


def format_average(paise: int, quantity: int) -> str | None:
    """The average price with 4 decimals, rounded half up; None when nothing was traded."""
    return format_decimal(divide_half_up(paise * 100, quantity), 4) if quantity else None


def render_fill(fill: FillFacts) -> dict[str, object]:
    return {
        "order_id": str(fill.order_id),
        "exec_id": fill.exec_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "product": fill.product,
        "quantity": fill.quantity,
        "price": format_price(fill.price),
        "value": format_amount(fill.value),
        "charges": format_amount(fill.charges),
        "charges_by_head": {
            head: format_amount(paise) for head, paise in zip(HEADS, fill.heads, strict=True)
        },
        "trade_date": fill.trade_date,
        "settles_on": fill.settles_on,
        "time": format_time(fill.at),
    }


def render_seen(seen: TriggerSeen) -> dict[str, object]:
    """Why an order went to the venue when it did."""
    return {
        "why": seen.why,
        "time": format_time(seen.seen_at),
        "price": None if seen.price is None else format_price(seen.price),
        "quote_seq": seen.seq,
        "timestamp": seen.timestamp_ms,
    }


def render_funds(funds: FundsFacts) -> dict[str, object]:
    """`available` can be spent on orders now; `withdrawable` can leave."""
    available = funds.cash - funds.held - funds.blocked
    withdrawable = funds.cash - funds.held - funds.unsettled - funds.borrowed
    return {
        "cash": format_amount(funds.cash),
        "held": format_amount(funds.held),
        "available": format_amount(available),
        "borrowed": format_amount(funds.borrowed),
        "unsettled": format_amount(funds.unsettled),
        "blocked": format_amount(funds.blocked),
        "withdrawable": format_amount(max(0, withdrawable)),
        "currency": "INR",
        "seq": funds.seq,
    }


def render_holding(holding: HoldingFacts) -> dict[str, object]:
    """Without live figures; `GET /v1/holdings` adds `ltp, value, day_pnl, unrealised_pnl`."""
    return {
        "symbol": holding.symbol,
        "exchange": "NSE",
        "quantity": holding.quantity,
        "settled": holding.settled,
        "t1": holding.t1,
        "bought_today": holding.bought_today,
        "free_quantity": max(0, holding.quantity - holding.open_sell - holding.pledged),
        "pledged": holding.pledged,
        "average_price": format_average(holding.cost, holding.quantity),
        "cost": format_amount(holding.cost),
    }


def render_position(position: PositionFacts) -> dict[str, object]:
    """Without live figures; `GET /v1/positions` adds `ltp, value, day_pnl, unrealised_pnl`. A
    position is all of its day: nothing of it is older, and a sale counts below zero."""
    return {
        "symbol": position.symbol,
        "exchange": "NSE",
        "product": position.product,
        "trade_date": position.trade_date,
        "quantity": position.net,
        "settled": 0,
        "t1": 0,
        "bought_today": position.net,
        "average_price": format_average(position.open_value, abs(position.net)),
        "buy_quantity": position.buy_quantity,
        "buy_average": format_average(position.buy_value, position.buy_quantity),
        "buy_value": format_amount(position.buy_value),
        "sell_quantity": position.sell_quantity,
        "sell_average": format_average(position.sell_value, position.sell_quantity),
        "sell_value": format_amount(position.sell_value),
        "realised_pnl": format_amount(position.realised),
        "margin": format_amount(position.margin),
    }


def render_event(event: UserEvent) -> list[dict[str, object]]:
    """The stream's objects of one event, each with `user_seq`."""
    return [
        {"type": kind, "user_seq": event.user_seq, **render(facts)}
        for member, kind, render in _RENDERED
        if (facts := getattr(event.body, member)) is not None
    ]


def _order_object(order: OrderFacts) -> dict[str, object]:
    """A stream object's `type` names the object, so the order's own type moves to `order_type`."""
    rendered = render_order(order)
    rendered["order_type"] = rendered.pop("type")
    return rendered


#: By the body's member: the object's type, and how it is shown.
_RENDERED: Final[tuple[tuple[str, str, Callable[[Any], dict[str, object]]], ...]] = (
    ("order", "order", _order_object), ("fill", "fill", render_fill),
    ("funds", "funds", render_funds), ("holding", "holding", render_holding),
    ("position", "position", render_position), ("alert", "alert", render_alert),
    ("reached", "alert", render_reached), ("plan", "plan", render_plan),
)  # fmt: skip
