"""Orders that are not meant to trade: too many messages a trade, and layers laid to be seen.

Invariant: what the venue or the broker ended is held against nobody.
"""

from functions.shared.domain.surveillance.findings import Finding, Reason, Rule
from functions.shared.domain.surveillance.parameters import Parameters
from functions.shared.domain.surveillance.watched import Asked, Ended, Placed, SymbolDay, Working

_MESSAGES, _RATIO_AGAIN, _LAYERS, _LAYERS_AGAIN = 70, 20, 70, 20


def judge_messages(
    user_id: int, message: Placed | Asked, held: SymbolDay, parameters: Parameters
) -> Finding | None:
    """Orders, changes and cancels against trades; a stock without a trade counts as one."""
    trades = max(1, held.trades)
    if held.messages < parameters.messages_least:
        return None
    if held.messages < parameters.messages_a_trade * trades:
        return None
    ratio, limit = held.messages // trades, parameters.messages_a_trade
    reasons = [Reason("MESSAGES_A_TRADE", str(ratio), str(limit), _MESSAGES)]
    if ratio >= 4 * limit:
        reasons.append(Reason("FOUR_TIMES_THE_LIMIT", str(ratio), str(4 * limit), _RATIO_AGAIN))
    return Finding(
        Rule.ORDER_TO_TRADE, user_id, message.symbol, message.day, message.at, tuple(reasons),
        message.order_id,
    )  # fmt: skip


def is_layer(ended: Ended, order: Working, parameters: Parameters) -> bool:
    """Whether the order was large beside what its account traded against it while it stood, and
    gone at once."""
    return (
        ended.by_client
        and ended.filled == 0
        and ended.at - order.placed_at <= parameters.layer_life
        and 0 < order.opposite * parameters.layer_times <= order.quantity
    )


def judge_layers(
    user_id: int, ended: Ended, symbol: str, held: SymbolDay, parameters: Parameters
) -> Finding | None:
    """Asked when a layer was taken away."""
    least = parameters.layers_least
    if held.layers < least:
        return None
    reasons = [Reason("LAYERS", str(held.layers), str(least), _LAYERS)]
    if held.layers >= 2 * least:
        reasons.append(Reason("TWICE_THE_LIMIT", str(held.layers), str(2 * least), _LAYERS_AGAIN))
    return Finding(
        Rule.SPOOFING, user_id, symbol, ended.day, ended.at, tuple(reasons), ended.order_id
    )
