"""Placing an order: one round trip that reserves, records and hands on, or answers a refusal.

Invariant: an answer that never arrived is asked for again with the same client_order_id; the
ledger then gives the first answer, whatever the market says by now.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from functions.shared.domain.orders import Product, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.events import OrderFacts, decode_order

_PLACE = (
    "SELECT outcome, order_facts, rules, available, largest FROM ledger.place_order("
    ":user_id, :client_order_id, :fingerprint, :symbol, :side, :type, :product, :validity,"
    " :quantity, :price, :limit_price, :reserved, :charge_rates, :verdict, :context,"
    " :open_orders_max, :now, :write)"
)

_RECALL = (
    "SELECT a.outcome, a.order_facts, a.rules FROM ledger.orders o,"
    " LATERAL ledger.first_answer(o, :fingerprint::bytea) a"
    " WHERE o.user_id = :user_id AND o.client_order_id = :client_order_id"
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything the ledger needs to decide one order. `context`: JSON of the quote it was judged
    on and the versions of the rules; `fingerprint`: sha256 of the client's request."""

    user_id: int
    client_order_id: str
    fingerprint: bytes
    symbol: str
    intent: OrderIntent
    product: Product
    validity: Validity
    judgement: Judgement
    context: str
    open_orders_max: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """`order` is None for a preview. `largest`: the most that could be bought or sold now;
    `available` in paise; both None on a replay."""

    outcome: Literal["ACCEPTED", "DENIED", "REPLAY", "KEY_REUSED"]
    order: OrderFacts | None
    rules: list[dict[str, object]]
    available: int | None
    largest: int | None


def place(shards: Shards, placement: Placement) -> Placed:
    """Places the order. Raises Retryable when the ledger can't answer in time (the outcome is then
    unknown: ask again with the same id) and NotFound when there is no account."""
    return _call(shards.of_user(placement.user_id), placement, write=True)


def recall(shards: Shards, user_id: int, client_order_id: str, fingerprint: bytes) -> Placed | None:
    """The first answer to an id that was used before, None for a new one. For when the market's
    facts can't be had: a known id is answered whatever they would say."""
    rows = shards.of_user(user_id).run(
        _RECALL, user_id=user_id, client_order_id=client_order_id, fingerprint=fingerprint
    )
    if not rows:
        return None
    outcome, order, rules = rows[0]
    return Placed(outcome, decode_order(order), msgspec.json.decode(rules), None, None)


def preview(shards: Shards, placement: Placement) -> Placed:
    """What `place` would answer now. Writes nothing."""
    return _call(shards.of_user(placement.user_id), placement, write=False)


def _call(database: Database, placement: Placement, *, write: bool) -> Placed:
    judgement = placement.judgement
    outcome, order, rules, available, largest = database.run(
        _PLACE,
        user_id=placement.user_id,
        client_order_id=placement.client_order_id,
        fingerprint=placement.fingerprint,
        symbol=placement.symbol,
        side=placement.intent.side.value,
        type=placement.intent.type.value,
        product=placement.product.value,
        validity=placement.validity.value,
        quantity=placement.intent.quantity,
        price=placement.intent.price,
        limit_price=judgement.limit_price,
        reserved=judgement.reserved,
        charge_rates=list(judgement.rates),
        verdict=verdict_text(judgement),
        context=placement.context,
        open_orders_max=placement.open_orders_max,
        now=placement.now,
        write=write,
    )[0]
    facts = None if order is None else decode_order(order)
    return Placed(outcome, facts, msgspec.json.decode(rules), available, largest)


def verdict_text(judgement: Judgement) -> str:
    """The failed rules as the JSON array that the ledger stores; `[]` when all passed."""
    return msgspec.json.encode([rule.as_json() for rule in judgement.rules]).decode()
