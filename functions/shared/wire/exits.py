"""What the ledger says of exits that wait together: the legs of an entry, and why a leg changed."""

from collections.abc import Sequence

import msgspec

from functions.shared.domain.legs import LegName
from functions.shared.domain.money import format_price


class ExitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two legs of an entry. Prices in ten-thousandths of a rupee."""

    leg: LegName
    trigger_price: int
    price: int | None


class ExitCause(msgspec.Struct, frozen=True, kw_only=True):
    """Why an event of a leg came to be, and the order that it came from."""

    code: str
    order_id: int


def render_exits(exits: Sequence[ExitFacts]) -> dict[str, object]:
    """Both legs, as the client gave them."""
    by_leg = {leg.leg: leg for leg in exits}
    stop, target = by_leg[LegName.STOP], by_leg[LegName.TARGET]
    return {
        "stop": {
            "trigger_price": format_price(stop.trigger_price),
            "price": None if stop.price is None else format_price(stop.price),
        },
        "target": {"price": format_price(target.trigger_price)},
    }
