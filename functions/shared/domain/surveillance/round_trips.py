"""Wash trades: shares that go round and end where they began.

A round trip is a leg out (a run of trades on one side) and the trades that turn at least nine
tenths of it back. Invariant: counting depends on the order of the trades alone.
"""

from functions.shared.domain.surveillance.findings import Finding, Reason, Rule
from functions.shared.domain.surveillance.parameters import Parameters
from functions.shared.domain.surveillance.watched import SymbolDay, Traded

_BASE, _NEAR, _MANY = 70, 20, 10


def count_trade(held: SymbolDay, side: str, quantity: int, back_percent: int) -> bool:
    """Adds a trade; whether it completed a round trip. A leg that was turned to within the same
    part of it is over, and what still comes of turning it (an order fills in parts) begins nothing;
    what goes further begins the next leg."""
    if not held.out_quantity:
        rest = quantity - held.spare if side == held.out_side else quantity
        held.spare = max(0, -rest) if side == held.out_side else 0
        if rest > 0:
            held.out_side, held.out_quantity, held.back_quantity, held.spare = side, rest, 0, 0
        return False
    if side == held.out_side:
        held.out_quantity += quantity
        return False
    held.back_quantity += quantity
    if held.back_quantity * 100 < held.out_quantity * back_percent:
        return False
    most = held.out_quantity * (200 - back_percent) // 100
    beyond = held.back_quantity - held.out_quantity if held.back_quantity > most else 0
    held.spare = 0 if beyond else most - held.back_quantity
    held.out_side, held.out_quantity, held.back_quantity = side, beyond, 0
    held.round_trips += 1
    return True


def judge_round_trips(
    user_id: int, trade: Traded, held: SymbolDay, parameters: Parameters
) -> Finding | None:
    """Asked when a round trip was completed."""
    most = parameters.round_trips_most
    if held.round_trips <= most:
        return None
    reasons = [Reason("ROUND_TRIPS", str(held.round_trips), str(most), _BASE)]
    apart = _apart_bp(held)
    if apart <= parameters.near_price_bp:
        reasons.append(
            Reason("NEAR_EQUAL_PRICES", f"{apart} bp", f"{parameters.near_price_bp} bp", _NEAR)
        )
    if held.round_trips > 2 * most:
        reasons.append(Reason("TWICE_THE_LIMIT", str(held.round_trips), str(2 * most), _MANY))
    return Finding(
        Rule.WASH_TRADING, user_id, trade.symbol, trade.day, trade.at, tuple(reasons),
        trade.order_id, round_trips=held.round_trips, side=trade.side, price=trade.price,
    )  # fmt: skip


def _apart_bp(held: SymbolDay) -> int:
    """How far the day's average buy and sell prices are apart, of the buy, in 1/100 per cent."""
    bought, sold = held.bought_value * held.sold, held.sold_value * held.bought
    return abs(sold - bought) * 10_000 // bought if bought else 10_000
