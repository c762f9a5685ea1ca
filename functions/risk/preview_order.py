"""What placing an order, or a basket, would answer, with its charges and what it would leave.

Invariant: the same facts, the same verdict and the same database function as placing; nothing is
written. One order is judged whatever the account's rate; a basket counts as its orders, and those
above the rate are told so, as placing would.
"""

from collections.abc import Sequence

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping.checking import OrderRequest, load_facts, placement
from functions.shared.bookkeeping.placing import Placed, Placement, kept_by, preview, room_for
from functions.shared.domain.calendar import market_status, settlement_date
from functions.shared.domain.charges import HEADS
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.domain.money import format_amount, format_price
from functions.shared.domain.pretrade import Rule
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.runtime.problems import problem_of


def preview_order(
    stores: Stores, user_id: int, request: OrderRequest, *, live: bool
) -> Response[str]:
    """200 whether it would be accepted or not; `rules` lists everything that stands against it."""
    return respond(_rendered(*_asked(stores, user_id, request, live=live)))


def preview_basket(
    stores: Stores, user_id: int, requests: Sequence[OrderRequest], request: str, *, live: bool
) -> Response[str]:
    """200 with what each order would meet by itself, and what all of them come to. `accepted` when
    each would be and the money is there for all at once; shares that several of them sell are
    judged as they are placed."""
    now = stores.clock.now()
    today = market_status(now, stores.clock.hours).trade_date
    room = room_for(stores.shards, user_id, today, now, len(requests))
    items: list[dict[str, object]] = []
    asked: list[tuple[Placement, Placed]] = []
    for order in requests:
        try:
            found = _asked(stores, user_id, order, live=live)
            if room is not None and len(asked) >= room[0]:
                raise room[1].refused()
            asked.append(found)
        except (Refused, Retryable) as error:
            items.append({"symbol": order.symbol, "accepted": False,
                          "problem": problem_of(error, request)})  # fmt: skip
        else:
            items.append({"symbol": order.symbol, **_rendered(*asked[-1])})
    available = min((answer.available or 0 for _, answer in asked), default=0)
    needed = kept_by(stores.shards, [wanted for wanted, _ in asked])
    charges = [wanted.judgement.charges for wanted, _ in asked]
    rules = []
    if needed > max(0, available):  # what keeps nothing passes, whatever is lacking
        rules.append(
            Rule("INSUFFICIENT_FUNDS", "the orders need more than is available",
                 format_amount(needed), format_amount(available)).as_json()
        )  # fmt: skip
    heads = [sum(head) for head in zip(*charges, strict=True)] if charges else [0] * len(HEADS)
    return respond(
        {
            "accepted": not rules and all(item["accepted"] for item in items),
            "rules": rules,
            "items": items,
            "value": format_amount(sum(wanted.judgement.value for wanted, _ in asked)),
            "charges": _by_head(heads),
            "margin": format_amount(needed),
            "available": format_amount(available),
            "available_after": format_amount(available - needed),
        }
    )


def _asked(
    stores: Stores, user_id: int, request: OrderRequest, *, live: bool
) -> tuple[Placement, Placed]:
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, request.symbol)
    facts.require_calendar(live=live)
    wanted = placement(user_id, "preview", request, facts)
    settles_on = settlement_date(wanted.trade_date, stores.clock.hours)
    return wanted, preview(stores.shards, wanted, settles_on)


def _rendered(wanted: Placement, answer: Placed) -> dict[str, object]:
    judgement = wanted.judgement
    return {
        "accepted": not answer.rules,
        "rules": answer.rules,
        "price": format_price(judgement.limit_price),
        "nearest_price": format_price(judgement.nearest_price),
        "value": format_amount(judgement.value),
        "charges": _by_head(judgement.charges),
        "margin": format_amount(answer.kept or 0),
        "available": format_amount(answer.available or 0),
        "available_after": format_amount(answer.available_after or 0),
        "largest_quantity": _largest(wanted, answer),
    }


def _by_head(charges: Sequence[int]) -> dict[str, str]:
    heads = {head: format_amount(paise) for head, paise in zip(HEADS, charges, strict=True)}
    return {**heads, "total": format_amount(sum(charges))}


def _largest(wanted: Placement, answer: Placed) -> int:
    """The smallest of every bound on the quantity."""
    bounds = [answer.largest or 0, wanted.judgement.largest_quantity]
    bounds += [b for rule in answer.rules if isinstance(b := rule.get("largest_quantity"), int)]
    return min(bounds)
