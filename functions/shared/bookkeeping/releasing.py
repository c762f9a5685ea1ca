"""Orders that wait: handing them to the venue, and ending those whose time is over.

Invariant: the ledger decides, by the order's version, under the account's lock. A release asked for
twice, or by two watchers, hands the order over once; one that isn't due changes nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import msgspec

from functions.shared.domain.pretrade import Judgement
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import OrderFacts, TriggerSeen, decode_order

from .placing import verdict_text

_RELEASE = (
    "SELECT outcome, order_facts, rules FROM ledger.release_order(:user_id, :order_id, :version,"
    " :price, :limit_price, :reserved, :charge_rates, :verdict, :trigger, :context, :today, :now)"
)
_TRAIL = "SELECT ledger.trail_order(:user_id, :order_id, :version, :price, :seen, :today, :now)"
_CLIENT_CHANGED = (
    "SELECT EXISTS (SELECT FROM ledger.orders o JOIN ledger.ledger_event e"
    " ON e.user_id = o.user_id AND e.ref = o.order_id AND e.seq > o.placed_seq"
    " WHERE o.order_id = :order_id AND o.user_id = :user_id AND e.kind = 'ORDER_MODIFIED'"
    " AND (e.body::jsonb #>> '{order,version}')::integer > :version"
    " AND e.body::jsonb -> 'cause' IS NULL)"
)
_EXPIRE = "SELECT ledger.expire_order(:user_id, :order_id, :today, :now)"


@dataclass(frozen=True, slots=True)
class Released:
    """DENIED: it has ended, `rules` say why. NOT_WAITING: it isn't that version any more. NOT_DUE:
    it waits on, and PUT_OFF, by `rules` of the moment: a review of the account, or for a GTC order
    those of the day. `order` is None for the last three."""

    outcome: Literal["RELEASED", "DENIED", "PUT_OFF", "NOT_WAITING", "NOT_DUE"]
    order: OrderFacts | None
    rules: list[dict[str, object]]


def release(
    shards: Shards,
    order: OrderFacts,
    user_id: int,
    price: int | None,
    judgement: Judgement,
    seen: TriggerSeen,
    context: str,
    today: date,
    now: datetime,
) -> Released:
    """Hands the order over as it was read. `price`: the trade that reached its trigger, None for a
    time; `seen`: kept in the event. Raises Retryable when the ledger can't
    answer: ask again."""
    outcome, facts, rules = shards.of_user(user_id).call(
        _RELEASE,
        user_id=user_id,
        order_id=order.order_id,
        version=order.version,
        price=price,
        limit_price=judgement.limit_price,
        reserved=judgement.reserved,
        charge_rates=list(judgement.rates),
        verdict=verdict_text(judgement),
        trigger=msgspec.json.encode(seen).decode(),
        context=context,
        today=today,
        now=now,
    )[0]
    return Released(
        outcome, None if facts is None else decode_order(facts), msgspec.json.decode(rules)
    )


def only_broker_changed(shards: Shards, user_id: int, order_id: int, version: int) -> bool:
    """Whether what made a waiting order another since that version was the broker alone: its entry
    filled more, its sibling moved, it followed the price. Raises Retryable."""
    rows = shards.of_user(user_id).run(
        _CLIENT_CHANGED, user_id=user_id, order_id=order_id, version=version
    )
    return not rows[0][0]


def trail(
    shards: Shards, order: OrderFacts, user_id: int, price: int, seen: TriggerSeen, today: date,
    now: datetime,
) -> bool:  # fmt: skip
    """Moves the trigger of a trailing stop, as it was read, behind a trade at `price`; whether it
    moved now. Raises Retryable."""
    rows = shards.of_user(user_id).call(
        _TRAIL, user_id=user_id, order_id=order.order_id, version=order.version, price=price,
        seen=msgspec.json.encode(seen).decode(), today=today, now=now,
    )  # fmt: skip
    return bool(rows[0][0])


def expire(shards: Shards, user_id: int, order_id: int, today: date, now: datetime) -> bool:
    """Ends an order that waits when its time is over; whether it ended now. Raises Retryable."""
    rows = shards.of_user(user_id).call(
        _EXPIRE, user_id=user_id, order_id=order_id, today=today, now=now
    )
    return bool(rows[0][0])
