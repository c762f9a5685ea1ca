"""Random lives of accounts and orders against a model in plain integers that shares no code.

The model knows what a fill costs by its own arithmetic (fractions, rounded half up) and keeps
cash, loans, holds, shares and statuses; after every step the ledger must say the same.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import Side
from functions.shared.wire.executions import ExecutionReport
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import Trader, price

WORKING = {"PENDING", "OPEN", "PARTIALLY_FILLED"}
#: Percent of the value: STT, exchange, IPFT, regulator, stamp (a buy's alone).
PERCENT = {
    "BUY": ("0.1", "0.0030699", "0.0000001", "0.0001", "0.015"),
    "SELL": ("0.1", "0.0030699", "0.0000001", "0.0001", "0"),
}


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def charges(side: str, value: int) -> int:
    """Everything charged on a traded value, in paise."""
    stt, exchange, ipft, sebi, stamp = (
        half_up(value * Fraction(percent) / 100) for percent in PERCENT[side]
    )
    return stt + exchange + ipft + sebi + stamp + half_up((exchange + sebi) * Fraction(18, 100))


def worth(quantity: int, rupees: int) -> int:
    return quantity * rupees * 100


@dataclass
class ModelOrder:
    """An order as the model has it; `change` is (kind, quantity, rupees) while one is in flight."""

    side: str
    quantity: int
    rupees: int
    status: str = "PENDING"
    filled: int = 0
    value: int = 0
    requests: int = 0
    acknowledged: bool = False
    change: tuple[str, int, int] | None = None
    charged: int = 0

    def hold(self) -> int:
        """Paise kept for what may still be bought."""
        if self.side == "SELL" or self.status not in WORKING:
            return 0
        terms = [(self.quantity, self.rupees)]
        if self.change is not None and self.change[0] == "MODIFY":
            terms.append(self.change[1:])
        return max(self._part(quantity, rupees) for quantity, rupees in terms)

    def shares(self) -> int:
        """Shares kept for what may still be sold."""
        if self.side == "BUY" or self.status not in WORKING:
            return 0
        most = self.quantity
        if self.change is not None and self.change[0] == "MODIFY":
            most = max(most, self.change[1])
        return most - self.filled

    def _part(self, quantity: int, rupees: int) -> int:
        value = worth(quantity, rupees)
        rest = max(0, quantity - self.filled)
        return ceil(Fraction((value + charges("BUY", value)) * rest, quantity))


@dataclass
class Model:
    cash: int = 0
    borrowed: int = 0
    shares: int = 0
    orders: dict[int, ModelOrder] = field(default_factory=dict)

    def held(self) -> int:
        return sum(order.hold() for order in self.orders.values())

    def open_sell(self) -> int:
        return sum(order.shares() for order in self.orders.values())

    def fill(self, order: ModelOrder, quantity: int, rupees: int) -> None:
        value = worth(quantity, rupees)
        order.filled += quantity
        order.value += value
        whole = charges(order.side, order.value)
        charge, order.charged = whole - order.charged, whole
        self.cash += (value if order.side == "SELL" else -value) - charge
        self.shares += quantity if order.side == "BUY" else -quantity
        if order.filled == order.quantity:
            order.status, order.change = "FILLED", None
        elif order.status in WORKING:
            order.status = "PARTIALLY_FILLED"
        order.acknowledged = True
        if self.cash < 0:
            self.borrowed, self.cash = self.borrowed - self.cash, 0
        elif order.side == "SELL":
            repaid = min(self.borrowed, value - charge)
            self.borrowed, self.cash = self.borrowed - repaid, self.cash - repaid


class LedgerMachine(RuleBasedStateMachine):
    """One user of the real ledger, and the model beside it."""

    placed = Bundle("placed")

    def __init__(self, new_trader: Callable[..., Trader]) -> None:
        super().__init__()
        self.trader = new_trader(funds=0)
        self.model = Model()
        self.told: list[ExecutionReport] = []
        self.keys = itertools.count()

    @rule(amount=st.integers(1, 5_000_000), times=st.integers(1, 2))
    def deposit(self, amount: int, times: int) -> None:
        key = f"k{next(self.keys)}"
        for _ in range(times):
            self.trader.deposit(amount, key)
        self.model.cash += amount

    @rule(target=placed, side=st.sampled_from(Side), quantity=st.integers(1, 60),
          rupees=st.integers(80, 120), times=st.integers(1, 2))  # fmt: skip
    def place(self, side: Side, quantity: int, rupees: int, times: int) -> int:
        wanted = ModelOrder(side.value, quantity, rupees)
        if side is Side.BUY:
            fits = wanted.hold() <= self.model.cash - self.model.held()
        else:
            fits = quantity <= self.model.shares - self.model.open_sell()
        key = f"k{next(self.keys)}"
        answers = [self.trader.place(side, quantity, rupees, key) for _ in range(times)]
        assert [a.outcome for a in answers[1:]] == ["REPLAY"] * (times - 1)
        assert (answers[0].outcome == "ACCEPTED") is fits, answers[0].rules
        assert answers[0].order is not None
        wanted.status = "PENDING" if fits else "DENIED"
        self.model.orders[answers[0].order.order_id] = wanted
        return answers[0].order.order_id

    @rule(order_id=placed, share=st.integers(1, 100), rupees=st.integers(80, 120))
    def fill(self, order_id: int, share: int, rupees: int) -> None:
        """Also of an order that was cancelled or has expired: the fill was on its way."""
        order = self.model.orders[order_id]
        rest = order.quantity - order.filled
        quantity = min(rest, max(1, rest * share // 100))
        if quantity == 0 or order.status in {"DENIED", "REJECTED"}:
            return
        if order.side == "SELL" and quantity > self.model.shares:
            return
        report = self.trader.report(order_id, "F", last_quantity=quantity, last_price=price(rupees))
        assert self.tell(report) == "APPLIED"
        self.model.fill(order, quantity, rupees)

    @rule(order_id=placed)
    def acknowledge(self, order_id: int) -> None:
        order = self.model.orders[order_id]
        if order.status in {"DENIED", "REJECTED"}:
            return
        outcome = self.tell(self.trader.report(order_id, "0"))
        assert outcome == ("NOTHING" if order.acknowledged else "APPLIED")
        order.acknowledged = True
        if order.status == "PENDING":
            order.status = "OPEN"

    @rule(order_id=placed, ending=st.sampled_from(["4", "C", "8"]))
    def end(self, order_id: int, ending: str) -> None:
        order = self.model.orders[order_id]
        if order.status not in WORKING or (ending == "8" and order.filled):
            return
        assert self.tell(self.trader.report(order_id, ending)) == "APPLIED"
        order.status = {"4": "CANCELLED", "C": "EXPIRED", "8": "REJECTED"}[ending]
        order.acknowledged, order.change = True, None

    @rule(order_id=placed)
    def request_cancel(self, order_id: int) -> None:
        order = self.model.orders[order_id]
        in_the_way = order.change is not None and order.change[0] == "MODIFY"
        if order.status not in WORKING or in_the_way:
            with pytest.raises(Conflict):
                self.trader.cancel(order_id)
            return
        self.trader.cancel(order_id)
        if order.change is None:
            order.change = ("CANCEL", 0, 0)
            order.requests += 1

    @rule(order_id=placed, quantity=st.integers(1, 80), rupees=st.integers(80, 120))
    def request_modify(self, order_id: int, quantity: int, rupees: int) -> None:
        order = self.model.orders[order_id]
        if order.status not in WORKING or order.change is not None or quantity <= order.filled:
            return
        free_cash = self.model.cash - self.model.held() + order.hold()
        free_shares = self.model.shares - self.model.open_sell() + order.shares()
        before, order.change = order.hold(), ("MODIFY", quantity, rupees)
        fits = order.hold() <= max(free_cash, before) and order.shares() <= max(
            free_shares, order.quantity - order.filled
        )
        order.change = None
        assert (self.trader.modify(order_id, quantity, rupees).rules == []) is fits
        if fits:
            order.change = ("MODIFY", quantity, rupees)
            order.requests += 1

    @precondition(lambda self: any(o.change for o in self.model.orders.values()))
    @rule(accepted=st.booleans())
    def answer_change(self, accepted: bool) -> None:
        order_id, order = next((i, o) for i, o in self.model.orders.items() if o.change)
        assert order.change is not None
        kind, quantity, rupees = order.change
        order.acknowledged, order.change = True, None
        request = order.requests
        if not accepted:
            report = self.trader.report(order_id, "9", request=request, exec_id="", reject_code=0)
        elif kind == "CANCEL":
            report = self.trader.report(order_id, "4", request=request)
            order.status = "CANCELLED"
        else:
            report = self.trader.report(order_id, "5", request=request)
            order.quantity, order.rupees = max(quantity, order.filled), rupees
            if order.quantity == order.filled:
                order.status = "FILLED"
            elif order.status == "PENDING":
                order.status = "OPEN"
        assert self.tell(report) == "APPLIED"

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        """What was applied and is told again changes nothing, whenever it comes."""
        report = data.draw(st.sampled_from(self.told))
        assert self.trader.apply(report).outcome in {"DUPLICATE", "NOTHING"}

    def tell(self, report: ExecutionReport) -> str:
        outcome = self.trader.apply(report)
        self.told.append(report)
        return outcome.outcome

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        funds, holding = self.trader.funds(), self.trader.holding()
        assert (funds.cash, funds.borrowed) == (self.model.cash, self.model.borrowed)
        assert funds.held == self.model.held()
        shares = (0, 0) if holding is None else (holding.quantity, holding.open_sell)
        if self.model.shares:  # a holding of nothing is not listed
            assert shares == (self.model.shares, self.model.open_sell())
        for order_id, order in self.model.orders.items():
            found = self.trader.order(order_id)
            assert (found.status, found.filled_quantity, found.traded_value) == (
                order.status, order.filled, order.value,
            )  # fmt: skip


def test_any_life_of_an_account_is_what_the_model_says(new_trader: NewTrader) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: LedgerMachine(new_trader),
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
