"""What placing an order would answer, with its charges and what it would leave. Writes nothing.

Invariant: the same facts, the same verdict and the same database function as placing.
"""

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping.checking import OrderRequest, load_facts, placement
from functions.shared.bookkeeping.placing import preview
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.charges import HEADS
from functions.shared.domain.money import format_amount, format_price
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond


def preview_order(stores: Stores, user_id: int, request: OrderRequest) -> Response[str]:
    """200 whether it would be accepted or not; `rules` lists everything that stands against it."""
    facts = load_facts(stores.instruments, stores.quotes, stores.clock, request.symbol)
    wanted = placement(user_id, "preview", request, facts)
    judgement = wanted.judgement
    settles_on = settlement_date(wanted.trade_date, stores.clock.hours)
    answer = preview(stores.shards, wanted, settles_on)
    charges = {
        head: format_amount(paise) for head, paise in zip(HEADS, judgement.charges, strict=True)
    }
    total = sum(judgement.charges)
    return respond(
        {
            "accepted": not answer.rules,
            "rules": answer.rules,
            "price": format_price(judgement.limit_price),
            "value": format_amount(judgement.value),
            "charges": {**charges, "total": format_amount(total)},
            "margin": format_amount(judgement.reserved),
            "available": format_amount(answer.available or 0),
            "available_after": format_amount(answer.available_after or 0),
            "largest_quantity": _largest(answer.largest, answer.rules),
        }
    )


def _largest(funded: int | None, rules: list[dict[str, object]]) -> int:
    """The smallest of every bound on the quantity."""
    bounds = [funded or 0]
    bounds += [b for r in rules if isinstance(b := r.get("largest_quantity"), int)]
    return min(bounds)
