"""Books stay sound though an order was denied at its trigger, overfilled, or its trade was taken
back: the verifier and the rebuild agree with them."""

import pytest

from functions.shared.bookkeeping import planning
from functions.shared.bookkeeping.planning import PlanOf
from functions.shared.domain.orders import Product, Side, Status
from functions.shared.domain.plans import End, PlanKind, PlanState, next_step
from functions.shared.wire.plans import plan_of
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.integration.ledger.test_busts import bust
from tests.support.ledger import Trader
from tests.support.plans import end_plan, open_iceberg, open_timed, place_slice, request_end
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release, stopped


def agree(databases: ShardsUnderTest) -> bool:
    urls = databases.urls(OWNER)
    problems = [*verify_ledger.run(urls).problems, *rebuild_ledger.run(urls).problems]
    wrong = [problem for problem in problems if "parked reports" not in problem]
    assert not wrong, wrong
    return True


def state_of(trader: Trader, plan: PlanOf) -> PlanState:
    return planning.view(trader.shards, plan.user_id, plan.plan_id).facts.state


def take_on(trader: Trader, plan: PlanOf) -> None:
    """Ends the plan as its next step says."""
    view = planning.view(trader.shards, plan.user_id, plan.plan_id)
    step = next_step(plan_of(view.facts, view.slices), trader.now, 1, trading=True)
    assert isinstance(step, End)
    end_plan(trader, plan, step)


def completed(trader: Trader) -> tuple[PlanOf, int]:
    """A plan of two legs of five that is COMPLETED, and its last order, filled by trade LAST."""
    plan = open_iceberg(trader, 10, 2)
    trader.fill(place_slice(trader, plan, 1, 5), 5)
    last = place_slice(trader, plan, 2, 5)
    trader.told(last, "0")
    trader.fill(last, 5, exec_id=f"LAST{last}")
    end_plan(trader, plan, End(PlanState.COMPLETED))
    return plan, last


def test_an_intraday_stop_that_was_denied_at_its_trigger_leaves_sound_books(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader(200_000)
    order = stopped(trader, Side.BUY, 90, 105, product=Product.MIS)
    denied = release(trader, order, 119)  # more than there is by now
    assert [rule["code"] for rule in denied.rules] == ["INSUFFICIENT_MARGIN"]
    assert trader.funds().held == 0
    assert agree(ledger_databases)


def test_a_slice_that_the_venue_overfilled_leaves_sound_books(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    plan = open_timed(trader, PlanKind.TWAP, Side.BUY)
    trader.fill(place_slice(trader, plan, 1, 8), 13)
    assert agree(ledger_databases)
    take_on(trader, plan)
    assert state_of(trader, plan) is PlanState.COMPLETED


@pytest.mark.parametrize("lives", [True, False])
def test_a_completed_plan_whose_trade_is_taken_back_ends_anew_as_what_it_is(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest, lives: bool
) -> None:
    trader = new_trader()
    plan, last = completed(trader)
    bust(trader, last, f"LAST{last}", "0" if lives else "4")
    assert trader.kinds()[-2:] == ["FILL_BUSTED", "PLAN_REOPENED"]
    assert (state_of(trader, plan), agree(ledger_databases)) == (PlanState.ACTIVE, True)
    if lives:
        assert trader.order(last).status == Status.OPEN
        trader.fill(last, 5)
    take_on(trader, plan)
    assert state_of(trader, plan) is (PlanState.COMPLETED if lives else PlanState.CANCELLED)
    assert agree(ledger_databases)


def test_the_order_of_a_cancelled_plan_that_works_again_is_cancelled_again(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    plan = open_iceberg(trader, 10, 2)
    first = place_slice(trader, plan, 1, 5)
    trader.told(first, "0")
    request_end(trader, plan)
    trader.fill(first, 5, exec_id=f"LAST{first}")
    take_on(trader, plan)
    assert state_of(trader, plan) is PlanState.CANCELLED
    bust(trader, first, f"LAST{first}", "0")
    assert (state_of(trader, plan), agree(ledger_databases)) == (PlanState.CANCELLING, True)
    trader.told(first, "4")
    take_on(trader, plan)
    assert state_of(trader, plan) is PlanState.CANCELLED
