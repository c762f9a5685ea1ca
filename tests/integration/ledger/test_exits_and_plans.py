"""Random days of brackets, pairs, stops, orders by hand and plans, held against plain sums.

What the venue filled is counted here, order by order. After every step the ledger's orders must
keep to it: no position turns round, an entry's exits are for no more than it filled, a plan trades
no more than it is for, and an order that the venue ended early works until its fills have come.
"""

import itertools
from collections import defaultdict

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from functions.shared.bookkeeping import planning, reading
from functions.shared.bookkeeping.planning import PlanOf
from functions.shared.bookkeeping.reading import OrderQuery
from functions.shared.domain.orders import AT_VENUE, WORKING, Product, Side
from functions.shared.domain.plans import End, PlanKind, PlanState, next_step
from functions.shared.wire.events import OrderFacts
from functions.shared.wire.plans import plan_of
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH
from tests.support.linked_exits import bracket, place_pair
from tests.support.plans import end_plan, open_iceberg, open_timed, place_slice, request_end
from tests.support.postgres import ShardsUnderTest
from tests.support.waiting import release, stop

_CLOSING = (
    "SELECT quantity FROM ledger.orders WHERE user_id = :u AND stance = 'CLOSES'"
    " AND status = 'TRIGGER_PENDING'"
)


class ExitsAndPlans(RuleBasedStateMachine):
    """One user; intraday positions go one `way`, so that none may ever be on the other side."""

    def __init__(self, new_trader: NewTrader) -> None:
        super().__init__()
        self.trader = new_trader(50 * LAKH)
        self.numbers = itertools.count()
        self.filled: defaultdict[int, int] = defaultdict(int)
        self.trades: list[tuple[int, str, int]] = []
        self.early: dict[int, int] = {}
        self.plans: dict[PlanOf, int] = {}
        self.way = Side.BUY

    @initialize(way=st.sampled_from(Side))
    def begin(self, way: Side) -> None:
        self.way = way

    @property
    def back(self) -> Side:
        return Side.SELL if self.way is Side.BUY else Side.BUY

    # What a client does

    @rule(product=st.sampled_from(Product), quantity=st.integers(2, 40), share=st.integers(1, 100))
    def enter(self, product: Product, quantity: int, share: int) -> None:
        way = self.way if product is Product.MIS else Side.BUY
        stop_at, target = (95, 105) if way is Side.BUY else (105, 95)
        entry = bracket(self.trader, way, quantity, 100, stop_at, target, product)
        self.fill(entry, max(1, quantity * share // 100))

    @rule(quantity=st.integers(1, 40))
    def add_to_the_position(self, quantity: int) -> None:
        side = self.trader.buy if self.way is Side.BUY else self.trader.sell
        self.fill(side(quantity, 100, Product.MIS), quantity)

    @rule(quantity=st.integers(1, 60))
    def place_two_exits(self, quantity: int) -> None:
        """They may be for what is open and no other pair is for."""
        stop_at, target = (95, 105) if self.way is Side.BUY else (105, 95)
        free = self.net() - sum(self.group_rests(Product.MIS).values())
        out = place_pair(self.trader, self.back, quantity, stop_at, target, Product.MIS)
        assert (out.outcome == "ACCEPTED") is (quantity <= free), out.rules

    @rule(share=st.integers(1, 100), at=st.sampled_from([93, 97]))
    def place_a_stop_that_closes(self, share: int, at: int) -> None:
        quantity, held = self.net() * share // 100, self.trader.funds().held
        if quantity:
            trigger = at if self.way is Side.BUY else 200 - at
            out = stop(self.trader, self.back, quantity, trigger, product=Product.MIS)
            assert (out.outcome, self.trader.funds().held) == ("ACCEPTED", held), out.rules

    @rule(share=st.integers(1, 100), rupees=st.sampled_from([None, 100, 112]))
    def close_by_hand(self, share: int, rupees: int | None) -> None:
        """Whatever exits wait, it needs no margin: only what is at the venue closes already."""
        quantity, held = self.free_to_close() * share // 100, self.trader.funds().held
        if quantity:
            out = self.trader.place(self.back, quantity, rupees, product=Product.MIS)
            assert (out.outcome, self.trader.funds().held) == ("ACCEPTED", held), out.rules

    @precondition(lambda self: self.open_())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.trader.cancel(data.draw(st.sampled_from(self.open_())).order_id)

    @precondition(lambda self: len(self.plans) < 3)
    @rule(kind=st.sampled_from(PlanKind))
    def open_a_plan(self, kind: PlanKind) -> None:
        if kind is PlanKind.ICEBERG:
            plan = open_iceberg(self.trader, 10, 4)
        else:
            plan = open_timed(self.trader, kind, Side.BUY)
        slices = planning.view(self.trader.shards, plan.user_id, plan.plan_id).slices
        self.plans[plan] = sum(each.planned for each in slices)
        assert self.plans[plan] == (10 if kind is PlanKind.ICEBERG else 8)

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), ends=st.booleans())
    def take_a_plan_on(self, data: st.DataObject, ends: bool) -> None:
        """Places all that is left in the next slice, or does as its next step says."""
        plan = data.draw(st.sampled_from(list(self.plans)))
        orders, view = self.of_plan(plan), planning.view(self.trader.shards, *plan_key(plan))
        works = any(order.status in WORKING for order in orders)
        left = self.plans[plan] - sum(self.filled[order.order_id] for order in orders)
        free = [each.number for each in view.slices if each.state == "WAITING"]
        if ends and view.facts.state == PlanState.ACTIVE:
            request_end(self.trader, plan)
        elif free and left > 0 and not works and view.facts.state == PlanState.ACTIVE:
            place_slice(self.trader, plan, free[0], min(left, 4) if len(free) > 1 else left)
        step = next_step(plan_of(view.facts, view.slices), self.trader.now, 1, trading=False)
        if isinstance(step, End) and not self.works(plan):
            end_plan(self.trader, plan, step)

    # What the market and the venue do

    @rule(rupees=st.sampled_from([90, 94, 96, 100, 104, 106, 110]), times=st.integers(1, 2))
    def trade(self, rupees: int, times: int) -> None:
        """Watchers ask for every order as it was before any of them went."""
        waiting = [order for order in self.orders() if order.status == "TRIGGER_PENDING"]
        for _ in range(times):
            for order in waiting:
                release(self.trader, order.order_id, rupees, order.version)

    @precondition(lambda self: self.open_())
    @rule(data=st.data(), share=st.integers(1, 100))
    def some_is_filled(self, data: st.DataObject, share: int) -> None:
        order = data.draw(st.sampled_from(self.open_()))
        rest = order.quantity - order.filled_quantity
        self.fill(order.order_id, max(1, rest * share // 100))

    @precondition(lambda self: self.open_())
    @rule(data=st.data(), how=st.sampled_from(["4", "8", "C"]))
    def one_ends(self, data: st.DataObject, how: str) -> None:
        order = data.draw(st.sampled_from(self.open_()))
        if order.order_id in self.early:
            return  # the venue has said all it has to say
        if how != "8" or (not order.filled_quantity and order.pending_change is None):
            request = 1 if order.pending_change and how == "4" else 0
            self.trader.told(order.order_id, how, request=request,
                             cumulative_quantity=order.filled_quantity)  # fmt: skip

    @precondition(lambda self: self.open_())
    @rule(data=st.data())
    def one_ends_before_its_fills(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.open_()))
        more = order.quantity - order.filled_quantity - 1
        if order.order_id in self.early or more < 1:
            return
        request = 1 if order.pending_change else 0
        told = self.trader.told(order.order_id, "4", request=request,
                                cumulative_quantity=order.filled_quantity + more)  # fmt: skip
        assert told.outcome == "WAITING"
        self.early[order.order_id] = order.filled_quantity + more

    @precondition(lambda self: self.bustable())
    @rule(data=st.data(), lives=st.booleans())
    def an_exits_trade_is_busted(self, data: st.DataObject, lives: bool) -> None:
        trade = data.draw(st.sampled_from(self.bustable()))
        number, exec_id, quantity = trade
        status = "0" if lives else "4"
        told = self.trader.told(number, "H", exec_ref=exec_id, ord_status=status)
        assert told.outcome == "APPLIED", told.why
        self.trades.remove(trade)
        self.filled[number] -= quantity

    def fill(self, number: int, quantity: int) -> None:
        """As much as the venue has left of it; what the ledger asked to end it ends in time."""
        exec_id = f"XP{self.trader.user_id}-{next(self.numbers)}"
        self.filled[number] += quantity
        told = self.trader.fill(number, quantity, exec_id=exec_id)
        assert told.outcome == "APPLIED", told.why
        self.trades.append((number, exec_id, quantity))
        self.the_venue_does_what_it_is_asked()

    def the_venue_does_what_it_is_asked(self) -> None:
        for order in self.orders():
            if order.status in AT_VENUE and order.pending_change == "CANCEL" and order.leg:
                self.trader.told(order.order_id, "4", request=1,
                                 cumulative_quantity=order.filled_quantity)  # fmt: skip

    # What must hold

    @invariant()
    def every_order_has_filled_what_the_venue_filled(self) -> None:
        for order in self.orders():
            assert order.filled_quantity == self.filled[order.order_id], order

    @invariant()
    def no_position_turns_round(self) -> None:
        assert self.net() >= 0
        assert self.net() == self.net_in_the_ledger()
        assert self.free_to_close() >= 0, [o for o in self.orders() if o.status in AT_VENUE]
        for row in self.trader.database().run(_CLOSING, u=self.trader.user_id):
            assert row[0] <= self.net()

    @invariant()
    def exits_are_for_what_their_entries_filled(self) -> None:
        exited: defaultdict[int, int] = defaultdict(int)
        for order in self.orders():
            if order.leg and order.parent_order_id:
                exited[order.parent_order_id] += self.filled[order.order_id]
        rests: defaultdict[int, int] = defaultdict(int)
        for (_, entry), rest in self.group_rests(None).items():
            rests[entry or 0] += rest
        for entry, rest in rests.items():
            if entry:
                assert rest + exited[entry] <= self.filled[entry]
        assert sum(self.group_rests(Product.MIS).values()) <= self.net()

    @invariant()
    def plans_trade_one_after_another_and_no_more_than_they_are_for(self) -> None:
        for plan, whole in self.plans.items():
            orders = self.of_plan(plan)
            assert sum(order.status in WORKING for order in orders) <= 1
            filled = sum(self.filled[order.order_id] for order in orders)
            working = [o for o in orders if o.status in WORKING]
            rest = sum(order.quantity - order.filled_quantity for order in working)
            assert filled + rest <= whole
            state = planning.view(self.trader.shards, *plan_key(plan)).facts.state
            if state == PlanState.COMPLETED:
                assert filled == whole

    @invariant()
    def what_ended_early_works_until_its_fills_have_come(self) -> None:
        for number, whole in list(self.early.items()):
            status = self.trader.order(number).status
            if self.filled[number] < whole:
                assert status in WORKING
            else:
                assert status == ("CANCELLED" if self.filled[number] == whole else "FILLED")
                del self.early[number]

    # What there is

    def orders(self) -> list[OrderFacts]:
        """All that were not refused, oldest first."""
        every = OrderQuery(rows=500, before=None, status=None, symbol=None, start=None, until=None)
        found = reading.orders(self.trader.shards, self.trader.user_id, every)
        return [order for order in reversed(found) if order.status != "DENIED"]

    def open_(self) -> list[OrderFacts]:
        """What the venue may still say something of, and nobody is ending."""
        return [order for order in self.orders()
                if order.status in AT_VENUE and order.pending_change is None]  # fmt: skip

    def net(self) -> int:
        """What is open of the intraday position, by what was filled."""
        mine = [order for order in self.orders() if order.product == Product.MIS]
        return sum((1 if order.side == self.way else -1) * self.filled[order.order_id]
                   for order in mine)  # fmt: skip

    def net_in_the_ledger(self) -> int:
        rows = self.trader.database().run(
            "SELECT net FROM ledger.position WHERE user_id = :u", u=self.trader.user_id
        )
        return (1 if self.way is Side.BUY else -1) * sum(row[0] for row in rows)

    def free_to_close(self) -> int:
        """What is open and nothing at the venue may close."""
        return self.net() - sum(
            order.quantity - order.filled_quantity for order in self.orders()
            if order.status in AT_VENUE and (order.product, order.side) == (Product.MIS, self.back)
        )  # fmt: skip

    def group_rests(self, product: Product | None) -> dict[tuple[int | None, int | None], int]:
        """By pair and entry: what either exit of it may still fill, but for what is leaving."""
        rests: defaultdict[tuple[int | None, int | None], int] = defaultdict(int)
        for order in self.orders():
            works = order.status in WORKING and order.pending_change is None
            if order.leg and works and product in {None, order.product}:
                key = order.group_id, order.parent_order_id
                rests[key] = max(rests[key], order.quantity - order.filled_quantity)
        return rests

    def of_plan(self, plan: PlanOf) -> list[OrderFacts]:
        return [order for order in self.orders() if order.parent_order_id == plan.plan_id]

    def works(self, plan: PlanOf) -> bool:
        return any(order.status in WORKING for order in self.of_plan(plan))

    def bustable(self) -> list[tuple[int, str, int]]:
        """Trades of intraday exits: shares that are open again by their bust."""
        exits = {order.order_id for order in self.orders()
                 if order.leg and order.product == Product.MIS}  # fmt: skip
        return [trade for trade in self.trades if trade[0] in exits]


def plan_key(plan: PlanOf) -> tuple[int, int]:
    return plan.user_id, plan.plan_id


def test_nothing_is_exited_twice_and_no_plan_trades_too_much(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    run_state_machine_as_test(
        lambda: ExitsAndPlans(new_trader),  # type: ignore[arg-type]
        settings=settings(
            max_examples=6, stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    for judge in (verify_ledger, rebuild_ledger):
        problems = judge.run(ledger_databases.urls(OWNER)).problems
        assert [p for p in problems if "parked reports" not in p] == []
