"""What a preview says an order would leave, held against what it leaves."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from functions.shared.bookkeeping.placing import kept_by, place
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.events import FundsFacts
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import RUPEE, Trader

MIS = Product.MIS


def available(funds: FundsFacts) -> int:
    """As `render_funds` tells it."""
    return funds.cash - funds.held - funds.blocked


def leaves_what_was_said(
    trader: Trader, side: Side, quantity: int, rupees: int, product: Product
) -> bool:
    """Fills the order that was previewed, if it was accepted; whether it was."""
    said, held = trader.preview(side, quantity, rupees, product), trader.funds().held
    placed = trader.place(side, quantity, rupees, product=product)
    assert said.outcome == placed.outcome
    if placed.order is None or placed.outcome != "ACCEPTED":
        return False
    assert said.kept == trader.funds().held - held
    trader.fill(placed.order.order_id, quantity, rupees)
    assert said.available_after == available(trader.funds())
    return True


def test_an_intraday_sale_leaves_what_its_margin_and_charges_leave(new_trader: NewTrader) -> None:
    trader = new_trader()
    before = available(trader.funds())
    assert leaves_what_was_said(trader, Side.SELL, 100, 100, MIS)
    assert available(trader.funds()) < before - 2_000 * RUPEE
    assert leaves_what_was_said(trader, Side.BUY, 100, 100, MIS)
    assert available(trader.funds()) > before - 100 * RUPEE


def test_a_sale_that_repays_a_loan_leaves_the_rest(new_trader: NewTrader) -> None:
    trader = new_trader(12_020 * RUPEE)
    trader.own(100)
    assert leaves_what_was_said(trader, Side.BUY, 100, 100, MIS)
    assert leaves_what_was_said(trader, Side.SELL, 100, 80, MIS)
    assert trader.funds().borrowed
    trader.settle()
    assert leaves_what_was_said(trader, Side.SELL, 100, 100, Product.CNC)
    assert not trader.funds().borrowed


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(Side), st.sampled_from(Product), st.integers(1, 60),
                  st.integers(85, 115), st.sampled_from(["fill", "rest", "settle"])),
        min_size=2, max_size=14,
    )
)  # fmt: skip
def test_whatever_came_before_an_order_leaves_what_its_preview_said(
    new_trader: NewTrader, wishes: list[tuple[Side, Product, int, int, str]]
) -> None:
    trader = new_trader(6_000 * RUPEE)
    for side, product, quantity, rupees, then in wishes:
        if then == "rest":
            trader.place(side, quantity, rupees, product=product)
            continue
        leaves_what_was_said(trader, side, quantity, rupees, product)
        if then == "settle":
            trader.settle()


def test_orders_of_one_position_share_its_margin_and_what_closes_it_keeps_nothing(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.fill(trader.buy(30, product=MIS), 30)
    wanted = [trader.placement(Side.SELL, quantity, 100, product=MIS) for quantity in (20, 10, 15)]
    wanted.append(trader.placement(Side.BUY, 1, 100))
    said = [kept_by(trader.shards, wanted[:count]) for count in range(5)]
    assert said[:3] == [0, 0, 0]
    held = trader.funds().held
    for placement, kept in zip(wanted, said[1:], strict=True):
        assert place(trader.shards, placement).outcome == "ACCEPTED"
        assert trader.funds().held - held == kept
