"""GTTs as they are placed: which of them are stops, and what a stop has to be to protect."""

import pytest

from functions.shared.domain.gtt import judge_gtt, paired_stop_rules
from functions.shared.domain.orders import OrderType, Product, Side
from functions.shared.domain.pretrade import OrderIntent
from tests.support.ledger import ACME, OPEN, price

LAST = price(100)


def intent(side: Side, trigger: float, limit: float) -> OrderIntent:
    return OrderIntent(side, OrderType.LIMIT, 10, price(limit), trigger_price=price(trigger))


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "broken"),
    [
        (Side.SELL, 95, 96, [("LIMIT_BEFORE_TRIGGER", "95.00")]),
        (Side.SELL, 95, 95, []),
        (Side.SELL, 95, 80, []),
        (Side.SELL, 105, 106, []),
        (Side.SELL, 105, 104, []),
        (Side.BUY, 105, 104, [("LIMIT_BEFORE_TRIGGER", "105.00")]),
        (Side.BUY, 105, 106, []),
        (Side.BUY, 95, 94, []),
    ],
)
def test_the_limit_of_one_that_waits_as_a_stop_is_behind_its_trigger(
    side: Side, trigger: float, limit: float, broken: list[tuple[str, str]]
) -> None:
    verdict = judge_gtt(intent(side, trigger, limit), Product.CNC, ACME, LAST, OPEN)
    assert [(rule.code, rule.nearest) for rule in verdict.rules] == broken


@pytest.mark.parametrize(
    ("side", "trigger", "nearest"),
    [(Side.SELL, 105, "99.75"), (Side.SELL, 100, "99.75"), (Side.SELL, 95, None),
     (Side.BUY, 95, "100.25"), (Side.BUY, 105, None)],
)  # fmt: skip
def test_the_stop_of_a_pair_waits_where_the_price_would_hurt(
    side: Side, trigger: float, nearest: str | None
) -> None:
    rules = paired_stop_rules(intent(side, trigger, trigger), ACME, LAST, OPEN)
    expected = [] if nearest is None else [("TRIGGER_PASSED", nearest)]
    assert [(rule.code, rule.nearest) for rule in rules] == expected
