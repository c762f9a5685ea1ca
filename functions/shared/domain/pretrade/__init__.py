"""The rules an order must pass on public facts: instrument, session, price, size.

Invariant: every failed rule is named at once, with its numbers, the nearest valid price and the
largest valid quantity. Whatever other orders can change (cash, shares, open orders, how many were
placed) is judged later, inside the ledger, under the account's lock.
"""

from functions.shared.domain.pretrade.intent import Judgement, OrderIntent, Rule
from functions.shared.domain.pretrade.judging import judge
from functions.shared.domain.pretrade.limits import (
    ORDER_LIMITS,
    OrderLimits,
    margin_rate,
    order_limits,
)
from functions.shared.domain.pretrade.prices import Band, away_rules, protected_price

__all__ = [
    "ORDER_LIMITS",
    "Band",
    "Judgement",
    "OrderIntent",
    "OrderLimits",
    "Rule",
    "away_rules",
    "judge",
    "margin_rate",
    "order_limits",
    "protected_price",
]
