"""Whatever the market and the venue do to exits that wait together, no share is exited twice.

A walk lets an entry fill, prices jump, legs fill, die and be cancelled, and the venue take trades
of both back, in any order; after each step the ledger's orders are held against what stands filled.
"""

import itertools
from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.domain.orders import AT_VENUE, WORKING, Product, Side
from functions.shared.wire.events import OrderFacts
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import Trader
from tests.support.linked_exits import bracket, legs
from tests.support.waiting import release

_ENTRY, _STOP, _TARGET = 60, 95, 105
_STEPS = st.one_of(
    st.tuples(st.just("enter"), st.integers(1, 40)),
    st.tuples(st.just("trade"), st.sampled_from([90, 94, 100, 106, 110])),
    st.tuples(st.just("fill"), st.integers(1, 40)),
    st.tuples(st.sampled_from(["bust entry", "bust exit", "bust and end"]), st.integers(0, 7)),
    st.tuples(st.sampled_from(["reject", "cancelled", "cancel", "late"]), st.integers(0, 7)),
)


class _Walk:
    """One entry, its exits, and what the venue has filled of them."""

    def __init__(self, trader: Trader, side: Side, product: Product) -> None:
        self._trader = trader
        stop, target = (_STOP, _TARGET) if side is Side.BUY else (_TARGET, _STOP)
        self._entry = bracket(trader, side, _ENTRY, 100, stop, target, product)
        self._entered = self._exited = 0
        self._asked: set[int | None] = set()
        self._product = product
        self._numbers = itertools.count()
        self._busted = False
        self._trades: list[tuple[int, str, int]] = []  # order, its report, shares: those that stand

    def step(self, what: str, number: int) -> None:
        working = [leg for leg in self._legs() if leg.status in WORKING]
        at_venue = [leg for leg in working if leg.status in AT_VENUE]
        if what == "enter" and self._entered < _ENTRY:
            quantity = min(number, _ENTRY - self._entered)
            self._entered += quantity
            self._fill(self._entry, quantity)
        elif what == "trade":
            self._trade(working, number)
        elif what == "cancel" and working:
            leg = working[number % len(working)]
            if leg.pending_change is None:
                self._asked.add(leg.group_id)
                self._trader.cancel(leg.order_id)
        elif what == "late":
            self._late_fill()
        elif what.startswith("bust"):
            self._bust(what, number)
        elif at_venue:
            self._venue(what, number, at_venue[number % len(at_venue)])
        self.check()

    def _trade(self, waiting: list[OrderFacts], rupees: int) -> None:
        """Every leg is asked for as it was before any of them went."""
        for leg in waiting:
            if leg.status == "TRIGGER_PENDING":
                release(self._trader, leg.order_id, rupees, leg.version)

    def _venue(self, what: str, number: int, leg: OrderFacts) -> None:
        if what == "fill":
            quantity = min(number, leg.quantity - leg.filled_quantity)
            self._exited += quantity
            self._fill(leg.order_id, quantity)
        elif what == "reject" and leg.filled_quantity == 0 and leg.pending_change is None:
            self._trader.told(leg.order_id, "8")
        else:
            request = 0 if leg.pending_change is None else 1
            self._trader.told(leg.order_id, "4", request=request)

    def _late_fill(self) -> None:
        """A share of a leg that the venue had said was cancelled, while no other leg could take
        it: all of its group wait."""
        for group in self._groups().values():
            rest = [leg for leg in group if leg.status in WORKING]
            dead = [leg for leg in group if leg.status == "CANCELLED" and leg.venue_order_id
                    and leg.quantity > leg.filled_quantity]  # fmt: skip
            if dead and rest and not any(leg.status in AT_VENUE for leg in rest):
                self._exited += 1
                self._fill(dead[0].order_id, 1)
                return

    def _fill(self, order_id: int, quantity: int) -> None:
        exec_id = f"W{self._trader.user_id}-{next(self._numbers)}"
        self._trader.fill(order_id, quantity, exec_id=exec_id)
        self._trades.append((order_id, exec_id, quantity))

    def _bust(self, what: str, number: int) -> None:
        """What delivery shares were bought by stays while any of them are sold: such a bust waits
        for a person. The venue ends what it says it ends, and cancels what it is asked to."""
        of_entry = what == "bust entry"
        trades = [trade for trade in self._trades if (trade[0] == self._entry) is of_entry]
        if not trades or (of_entry and self._product is Product.CNC and self._exited):
            return
        order_id, exec_id, quantity = trade = trades[number % len(trades)]
        self._trades.remove(trade)
        self._busted = True
        if of_entry:
            self._entered -= quantity
        else:
            self._exited -= quantity
        left = self._trader.order(order_id).filled_quantity - quantity
        status = "4" if what == "bust and end" else "1" if left else "0"
        told = self._trader.told(order_id, "H", exec_ref=exec_id, ord_status=status)
        assert told.outcome == "APPLIED", told.why
        for leg in self._legs():
            if leg.status in AT_VENUE and leg.pending_change and leg.group_id not in self._asked:
                self._trader.told(leg.order_id, "4", request=1)

    def check(self) -> None:
        rest = 0
        for number, group in self._groups().items():
            working = [leg for leg in group if leg.status in WORKING]
            rests = {leg.quantity - leg.filled_quantity for leg in working}
            assert len(rests) <= 1, group
            assert sum(leg.status in AT_VENUE for leg in working) <= 1, group
            assert len({leg.leg for leg in working}) == len(working), group
            if number in self._asked:
                assert all(leg.status in AT_VENUE for leg in working), group
            rest += sum(rests)
        there = max(0, self._entered - self._exited)
        if not (self._busted and self._asked):  # what is being cancelled may be for more
            assert rest <= there
        if not self._asked and not self._given_up():
            assert rest == there

    def _given_up(self) -> bool:
        """Whether both legs of a group have died as often as they may."""
        return any(
            not any(leg.status in WORKING | {"FILLED"} for leg in group)
            for group in self._groups().values()
        )

    def _legs(self) -> list[OrderFacts]:
        return legs(self._trader, self._entry)

    def _groups(self) -> dict[int | None, list[OrderFacts]]:
        groups: defaultdict[int | None, list[OrderFacts]] = defaultdict(list)
        for leg in self._legs():
            groups[leg.group_id].append(leg)
        return groups


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entry=st.sampled_from(
        [(Side.BUY, Product.CNC), (Side.BUY, Product.MIS), (Side.SELL, Product.MIS)]
    ),
    steps=st.lists(_STEPS, min_size=5, max_size=25),
)
def test_no_share_is_exited_twice_and_none_is_left_without_an_exit(
    new_trader: NewTrader, entry: tuple[Side, Product], steps: list[tuple[str, int]]
) -> None:
    walk = _Walk(new_trader(), *entry)
    walk.step("enter", 20)
    for what, number in steps:
        walk.step(what, number)
