"""Placing an order: one round trip that reserves, records and hands on, or answers a refusal.

Invariant: an answer that never arrived is asked for again with the same client_order_id; the
ledger then gives the first answer, whatever the market says by now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from functions.shared.domain.errors import Refused
from functions.shared.domain.orders import Product, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent
from functions.shared.domain.waiting import Terms
from functions.shared.stores.postgres import AnsweredBefore, Shards, SlotAway
from functions.shared.wire.events import OrderFacts, decode_order

_PLACE = (
    "SELECT outcome, order_facts, rules, available, largest FROM ledger.place_order("
    ":user_id, :client_order_id, :fingerprint, :symbol, :side, :type, :product, :validity,"
    " :quantity, :price, :limit_price, :reserved, :charge_rates, :verdict, :context,"
    " :open_orders_max, :trade_date, :margin_rate, :now, :write, :terms,"
    " :disclosed_quantity)"
)

# Judged by the function that places, and what it would leave by the one that books a fill.
_PREVIEW = _PLACE.replace(
    "largest FROM",
    "largest, ledger.available_after(:order, :trade_date, :settles_on),"
    " ledger.kept_by(:orders, :trade_date) FROM",
)
_KEPT = "SELECT ledger.kept_by(:orders, :trade_date)"

_PLACE_MANY = (
    "SELECT place, outcome, order_facts, rules, available, largest"
    " FROM ledger.place_orders(:orders, :trade_date, :now) ORDER BY place"
)

_RECALL = (
    "SELECT a.outcome, a.order_facts, a.rules FROM ledger.orders o,"
    " LATERAL ledger.first_answer(o, :fingerprint::bytea) a"
    " WHERE o.user_id = :user_id AND o.client_order_id = :client_order_id"
)


_ROOM = "SELECT room, reached FROM ledger.order_room(:user_id, :today, :now, :most)"

Outcome = Literal["ACCEPTED", "DENIED", "REPLAY", "KEY_REUSED", "RATE_LIMITED", "PUT_OFF"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything the ledger needs to decide one order. `context`: JSON of the quote it was judged
    on and the versions of the rules; `fingerprint`: sha256 of the client's request; `terms`: what
    it waits for and when it ends, None for one that goes at once and lives by the venue's day."""

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
    trade_date: date
    now: datetime
    terms: Terms | None = None


class RateReached(msgspec.Struct, frozen=True):
    """The account has placed `most` orders in the last second, minute or trade date; in `wait_ms`
    milliseconds it may place one more."""

    per: Literal["second", "minute", "day"]
    most: int
    wait_ms: int

    def refused(self) -> Refused:
        """The 429 of an order above the account's rate."""
        return Refused(
            429, "RATE_LIMITED", f"at most {self.most} orders a {self.per}",
            retry_after_seconds=-(-self.wait_ms // 1000), per=self.per, limit=self.most,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """`order` is None for a preview, and for an order above the account's rate (`reached`), of
    which nothing is kept. `largest`: the most that could be bought or sold now; `available` in
    paise; both None on a replay. `available_after`: what the funds would show as available were the
    whole order filled at its limit, and `kept` what placing it would hold more, both in paise, in a
    preview alone."""

    outcome: Outcome
    order: OrderFacts | None
    rules: list[dict[str, object]]
    available: int | None
    largest: int | None
    available_after: int | None = None
    kept: int | None = None
    reached: RateReached | None = None


_reached_decoder = msgspec.json.Decoder(list[RateReached])


def place(shards: Shards, placement: Placement) -> Placed:
    """Places the order. Raises Retryable when the ledger can't answer in time (the outcome is then
    unknown: ask again with the same id) and NotFound when there is no account."""
    rows = shards.of_user(placement.user_id).call(_PLACE, **_parameters(placement), write=True)
    return _placed(*rows[0])


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


def preview(shards: Shards, placement: Placement, settles_on: date) -> Placed:
    """What `place` would answer now, and what the order would leave; `settles_on` is the day that
    its fills would settle. Writes nothing. Raises as `place` does."""
    rows = shards.of_user(placement.user_id).call(
        _PREVIEW, **_parameters(placement), write=False,
        order=msgspec.json.encode(_as_json(placement)).decode(), settles_on=settles_on,
        orders=_array_text([placement]),
    )  # fmt: skip
    return _placed(*rows[0])


def kept_by(shards: Shards, placements: Sequence[Placement]) -> int:
    """By how much what the account holds would grow, in paise, were these orders of one user placed
    one after another. Writes nothing. Raises as `place` does."""
    if not placements:
        return 0
    rows = shards.of_user(placements[0].user_id).call(
        _KEPT, orders=_array_text(placements), trade_date=placements[0].trade_date
    )
    return int(rows[0][0])


def room_for(
    shards: Shards, user_id: int, today: date, now: datetime, most: int
) -> tuple[int, RateReached] | None:
    """How many orders the account may place at once, and what one more would have reached; None
    where it may place `most`. Raises Retryable."""
    rows = shards.of_user(user_id).run(_ROOM, user_id=user_id, today=today, now=now, most=most)
    return (rows[0][0], msgspec.convert(rows[0][1], RateReached)) if rows else None


def place_many(shards: Shards, placements: Sequence[Placement]) -> list[Placed]:
    """Places orders of one trade date, answers in their order: one round trip and one commit for
    each shard, or one by one when an id of a shard's part was used before. Raises as `place` does;
    the outcome of that part is then unknown, and asking again with the same ids gives its first
    answers."""
    answers: list[Placed | None] = [None] * len(placements)
    by_shard: dict[int, list[int]] = {}
    for place_of, placement in enumerate(placements):
        shard = shards.number_of_user(placement.user_id)
        by_shard.setdefault(shard, []).append(place_of)
    for shard, places in by_shard.items():
        placed = _place_batch(shards, shard, [placements[place_of] for place_of in places])
        for place_of, answer in zip(places, placed, strict=True):
            answers[place_of] = answer
    return [answer for answer in answers if answer is not None]


def _place_batch(shards: Shards, shard: int, batch: Sequence[Placement]) -> list[Placed]:
    """The orders of users who were last at home on that shard."""
    try:
        rows = shards.database(shard).run(
            _PLACE_MANY,
            orders=_array_text(batch),
            trade_date=batch[0].trade_date,
            now=batch[0].now,
        )
    except (SlotAway, AnsweredBefore):
        # One of them has moved or was placed before, and none now: each finds its own way.
        return [place(shards, placement) for placement in batch]
    return [_placed(*row[1:]) for row in rows]


def _array_text(placements: Sequence[Placement]) -> str:
    return msgspec.json.encode([_as_json(placement) for placement in placements]).decode()


def _as_json(placement: Placement) -> dict[str, object]:
    parameters = _parameters(placement)
    del parameters["trade_date"], parameters["now"]
    terms = msgspec.Raw(parameters["terms"] or b"null")
    return {**parameters, "fingerprint": "\\x" + placement.fingerprint.hex(), "terms": terms}


def _parameters(placement: Placement) -> dict[str, Any]:
    judgement = placement.judgement
    return {
        "user_id": placement.user_id,
        "client_order_id": placement.client_order_id,
        "fingerprint": placement.fingerprint,
        "symbol": placement.symbol,
        "side": placement.intent.side.value,
        "type": placement.intent.type.value,
        "product": placement.product.value,
        "validity": placement.validity.value,
        "quantity": placement.intent.quantity,
        "disclosed_quantity": placement.intent.disclosed,
        "price": placement.intent.price,
        "limit_price": judgement.limit_price,
        "reserved": judgement.reserved,
        "charge_rates": list(judgement.rates),
        "verdict": verdict_text(judgement),
        "context": placement.context,
        "open_orders_max": placement.open_orders_max,
        "trade_date": placement.trade_date,
        "margin_rate": judgement.margin_rate,
        "now": placement.now,
        "terms": None if placement.terms is None else msgspec.json.encode(placement.terms).decode(),
    }


def _placed(
    outcome: Outcome, order: str | None, rules: str, available: int | None, largest: int | None,
    available_after: int | None = None, kept: int | None = None,
) -> Placed:  # fmt: skip
    if outcome == "RATE_LIMITED":
        [reached] = _reached_decoder.decode(rules)
        return Placed(outcome, None, [], None, None, reached=reached)
    facts = None if order is None else decode_order(order)
    return Placed(
        outcome, facts, msgspec.json.decode(rules), available, largest, available_after, kept
    )


def verdict_text(judgement: Judgement) -> str:
    """The failed rules as the JSON array that the ledger stores; `[]` when all passed."""
    return msgspec.json.encode([rule.as_json() for rule in judgement.rules]).decode()
