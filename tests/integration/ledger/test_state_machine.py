"""Random lives of an account, beside the oracle, which shares no code with the ledger.

After every step each event that was written, the account, its orders, holdings, lots, positions
and proceeds due must be what the oracle says; at the end `ledger verify` and `rebuild` must find
nothing.
"""

import contextlib
import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from functions.shared.bookkeeping import payments, pledging, settling
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.payments import Direction, PaymentHappening
from functions.shared.domain.short_delivery import shortage_rates
from functions.shared.wire.executions import ExecutionReport
from infra.command import rebuild_ledger, verify_ledger
from infra.local.postgres import OWNER
from tests.integration.ledger.conftest import NewTrader
from tests.support import oracle_day_end
from tests.support.bust_rules import BustRules
from tests.support.ledger import ACME, price
from tests.support.ledger_oracle import Account, Entry, Report
from tests.support.oracle_busts import Busts
from tests.support.oracle_order import Order
from tests.support.postgres import ShardsUnderTest

_LOG = (
    "SELECT kind, ref, cash_change, held_change, cash, held, borrowed,"
    " (body::json #>> '{funds,unsettled}')::bigint, (body::json #>> '{funds,blocked}')::bigint"
    " FROM ledger.ledger_event WHERE user_id = :u AND seq > :seen ORDER BY seq"
)
_ACCOUNT = (
    "SELECT seq, cash, held, borrowed, unsettled, blocked, open_orders"
    " FROM ledger.account WHERE user_id = :u"
)
_ORDERS = (
    "SELECT order_id, status, filled_quantity, traded_value FROM ledger.orders WHERE user_id = :u"
)
_HOLDINGS = (
    "SELECT symbol, quantity, open_sell, pledged, cost FROM ledger.holding"
    " WHERE user_id = :u AND quantity > 0"
)
_LOTS = (
    "SELECT lot, trade_date, settles_on, quantity, cost FROM ledger.holding_lot"
    " WHERE user_id = :u ORDER BY trade_date, lot"
)
_POSITIONS = (
    "SELECT trade_date, net, open_value, realised FROM ledger.position"
    " WHERE user_id = :u AND (buy_quantity <> 0 OR sell_quantity <> 0) ORDER BY trade_date"
)
_DUES = (
    "SELECT settles_on, unsettled, blocked, intraday FROM ledger.settlement_due"
    " WHERE user_id = :u ORDER BY settles_on"
)


class LedgerMachine(BustRules):
    """One user of the real ledger, and the oracle beside it."""

    placed = Bundle("placed")

    def __init__(self, new_trader: NewTrader) -> None:
        super().__init__()
        self.trader = new_trader(funds=0)
        self.oracle = Account()
        self.oracle.opened()
        self.busts = Busts(self.oracle)
        self.told: list[ExecutionReport] = []
        self.keys = itertools.count()
        self.seen = 0

    @initialize(amount=st.integers(2_000_000, 20_000_000))
    def first_deposit(self, amount: int) -> None:
        self.deposit(amount, 1)

    @initialize(target=placed, quantity=st.integers(50, 200))
    def first_buy(self, quantity: int) -> int:
        """Most of what can go wrong needs shares."""
        number = self.ask_to_place(Side.BUY, Product.CNC, quantity, 90, 1)
        if self.oracle.orders[number].working:
            self.tell(number, "F", last_quantity=quantity, last_price=price(90))
        return number

    @rule(amount=st.integers(1, 500_000), times=st.integers(1, 2))
    def deposit(self, amount: int, times: int) -> None:
        key = f"k{next(self.keys)}"
        for _ in range(times):
            self.trader.deposit(amount, key)
        self.oracle.deposit(amount, self.today)

    @rule()
    def a_day_passes(self) -> None:
        self.trader.settle()

    @rule(target=placed, side=st.sampled_from(Side), product=st.sampled_from(Product),
          quantity=st.integers(1, 100), rupees=st.integers(80, 120),
          times=st.integers(1, 2))  # fmt: skip
    def place(self, side: Side, product: Product, quantity: int, rupees: int, times: int) -> int:
        return self.ask_to_place(side, product, quantity, rupees, times)

    def ask_to_place(
        self, side: Side, product: Product, quantity: int, rupees: int, times: int
    ) -> int:
        key = f"k{next(self.keys)}"
        answers = [
            self.trader.place(side, quantity, rupees, key, product=product) for _ in range(times)
        ]
        assert [a.outcome for a in answers[1:]] == ["REPLAY"] * (times - 1)
        assert answers[0].order is not None
        number = answers[0].order.order_id
        order = Order(
            ACME.symbol, side.value, product.value, quantity, price(rupees), self.today
        )  # fmt: skip
        accepted = self.oracle.place(number, order, self.today)
        assert (answers[0].outcome == "ACCEPTED") is accepted, answers[0].rules
        return number

    @precondition(lambda self: self.fillable())
    @rule(
        data=st.data(), share=st.integers(1, 200), rupees=st.integers(80, 120), late=st.booleans()
    )
    def fill(self, data: st.DataObject, share: int, rupees: int, late: bool) -> None:
        """Also of an order that was cancelled or has expired: the fill was on its way."""
        number = data.draw(st.sampled_from(self.fillable()))
        order = self.oracle.orders[number]
        rest = order.quantity - order.filled
        quantity = min(rest, max(1, rest * share // 100))
        traded = order.trade_date if late else self.today
        assert self.tell(number, "F", last_quantity=quantity, last_price=price(rupees),
                         trade_date=traded.isoformat()) == "APPLIED"  # fmt: skip

    @precondition(lambda self: any(o.can("FILL", 1) for o in self.oracle.orders.values()))
    @rule(data=st.data(), beyond=st.integers(1, 20), rupees=st.integers(80, 120))
    def overfill(self, data: st.DataObject, beyond: int, rupees: int) -> None:
        """The venue fills more than was ordered, of an order that works, is filled or has ended."""
        can = [i for i, order in self.oracle.orders.items() if order.can("FILL", 1)]
        number = data.draw(st.sampled_from(can))
        order = self.oracle.orders[number]
        quantity = max(0, order.quantity - order.filled) + beyond
        assert self.tell(number, "F", last_quantity=quantity,
                         last_price=price(rupees)) == "APPLIED"  # fmt: skip

    @rule(
        product=st.sampled_from(Product),
        quantity=st.integers(1, 150),
        rupees=st.integers(80, 120),
        meanwhile=st.sampled_from(["", "it is sold", "it is over"]),
    )
    def a_cancel_overtakes_a_sale(
        self, product: Product, quantity: int, rupees: int, meanwhile: str
    ) -> None:  # fmt: skip
        """What the sale was of can be sold again, or the day can end, before it is told of."""
        day, sold = self.today, {"last_quantity": quantity, "last_price": price(rupees)}
        if product is Product.MIS or self.oracle.sellable(ACME.symbol) < quantity:
            self.trade(Side.BUY, product, quantity, rupees)
        number = self.ask_to_place(Side.SELL, product, quantity, rupees, 1)
        if not self.oracle.orders[number].working:
            return
        self.tell(number, "4")
        if meanwhile == "it is sold":
            self.trade(Side.SELL, Product.CNC, max(1, self.oracle.sellable(ACME.symbol)), rupees)
        elif meanwhile == "it is over":
            self.a_day_passes()
            self.the_day_has_ended(rupees, False)
        assert self.tell(number, "F", **sold, trade_date=day.isoformat()) == "APPLIED"
        if meanwhile == "it is over":
            self.the_day_has_ended(rupees, False)

    @rule(opens=st.sampled_from(Side), quantity=st.integers(1, 100),
          rupees=st.tuples(st.integers(80, 120), st.integers(80, 120)))  # fmt: skip
    def a_day_trade(self, opens: Side, quantity: int, rupees: tuple[int, int]) -> None:
        """In and out: a profit or a loss of the day."""
        self.trade(opens, Product.MIS, quantity, rupees[0])
        closes = Side.SELL if opens is Side.BUY else Side.BUY
        self.trade(closes, Product.MIS, quantity, rupees[1])

    def trade(self, side: Side, product: Product, quantity: int, rupees: int) -> None:
        """An order that is filled at once, if the account can carry it."""
        number = self.ask_to_place(side, product, quantity, rupees, 1)
        if self.oracle.orders[number].working:
            self.tell(number, "F", last_quantity=quantity, last_price=price(rupees))

    def fillable(self) -> list[int]:
        orders = self.oracle.orders.items()
        return [i for i, order in orders if order.can("FILL", 1) and order.status != "FILLED"]

    def working(self) -> list[int]:
        """At the venue."""
        return [n for n, order in self.oracle.orders.items() if order.working and order.sent]

    @rule(order_id=placed)
    def acknowledge(self, order_id: int) -> None:
        if self.oracle.orders[order_id].status not in {"DENIED", "REJECTED"}:
            assert self.tell(order_id, "0") in {"APPLIED", "NOTHING"}

    @precondition(lambda self: self.working())
    @rule(data=st.data(), ending=st.sampled_from(["4", "C", "8"]))
    def end(self, data: st.DataObject, ending: str) -> None:
        number = data.draw(st.sampled_from(self.working()))
        if not (ending == "8" and self.oracle.orders[number].filled):
            assert self.tell(number, ending) == "APPLIED"

    @rule(order_id=placed)
    def request_cancel(self, order_id: int) -> None:
        if self.oracle.request_cancel(order_id, self.today):
            self.trader.cancel(order_id)
        else:
            with pytest.raises(Conflict):
                self.trader.cancel(order_id)

    @precondition(lambda self: self.working())
    @rule(data=st.data(), quantity=st.integers(1, 300), rupees=st.integers(80, 120))
    def request_modify(self, data: st.DataObject, quantity: int, rupees: int) -> None:
        number = data.draw(st.sampled_from(self.working()))
        order = self.oracle.orders[number]
        possible = order.change is None and quantity > order.filled
        fits = self.oracle.request_modify(number, quantity, price(rupees), self.today)
        if possible:
            assert (self.trader.modify(number, quantity, rupees).rules == []) is fits
        else:
            with pytest.raises(Conflict):
                self.trader.modify(number, quantity, rupees)

    @precondition(lambda self: any(o.change for o in self.oracle.orders.values()))
    @rule(accepted=st.booleans(), why=st.sampled_from([0, 1]))
    def answer_change(self, accepted: bool, why: int) -> None:
        number, order = next((i, o) for i, o in self.oracle.orders.items() if o.change)
        assert order.change is not None
        if not accepted:
            answer = self.tell(number, "9", request=order.requests, exec_id="", reject_code=why)
        else:
            exec_type = "4" if order.change.kind == "CANCEL" else "5"
            answer = self.tell(number, exec_type, request=order.requests)
        assert answer == "APPLIED"

    @rule(percent=st.sampled_from([1, 10, 100, 101]), paid=st.sampled_from([True, False, None]))
    def withdraw(self, percent: int, paid: bool | None) -> None:
        """Up to all that may leave, and more. `paid`: the bank's last word, None while it has
        none."""
        trader, amount = self.trader, max(1, self.oracle.withdrawable() * percent // 100)
        facts = payments.request_payment(
            trader.shards, trader.user_id, Direction.OUT, f"w{next(self.keys)}", amount, self.today,
            trader.now,
        ).payment  # fmt: skip
        allowed = self.oracle.withdraw(facts.payment_id, amount, self.today)
        assert (facts.state != "REFUSED") is allowed, facts.rules
        if not allowed or paid is None:
            return
        where = (trader.shards, trader.user_id, facts.payment_id)
        payments.attempt_payment(*where, self.today, trader.now)
        word = PaymentHappening.DONE if paid else PaymentHappening.REFUSED
        for _ in range(2):
            payments.end_payment(*where, word, None, self.today, trader.now)  # type: ignore[arg-type]
        self.oracle.payout_ended(facts.payment_id, paid, self.today)

    @precondition(lambda self: self.left_open() or self.oracle.charged_through)
    @rule(rupees=st.integers(80, 900), close_out=st.booleans())
    def the_day_has_ended(self, rupees: int, close_out: bool) -> None:
        """What the day's jobs do, as often as they are asked."""
        trader, today = self.trader, self.today
        for symbol, day in self.left_open():
            open_ = settling.OpenPosition(trader.user_id, symbol, day, 0)
            settles, at = settlement_date(day, "nse"), (today, trader.now)
            done = settling.deliver(trader.shards, open_, settles, *at)
            assert done is oracle_day_end.deliver(self.oracle, symbol, day, settles, today)
            done = settling.value_shortage(trader.shards, open_, price(rupees), *at)
            where = (self.oracle, symbol, day, price(rupees), today)
            assert done is oracle_day_end.value_shortage(*where)
            if close_out:
                rates = shortage_rates(day)
                done = settling.close_out(trader.shards, open_, price(rupees), rates, *at)
                assert done is oracle_day_end.close_out(*where)
        through = today - timedelta(days=1)
        days = settling.charge_interest(trader.shards, trader.user_id, through, today, trader.now)
        assert days == oracle_day_end.charge_interest(self.oracle, through, today)

    def left_open(self) -> list[tuple[str, date]]:
        """Positions of days gone by."""
        kept = self.oracle.positions.items()
        return [key for key, position in kept if position.traded and key[1] < self.today]

    @precondition(lambda self: self.oracle.lots.get(ACME.symbol))
    @rule(quantity=st.integers(0, 40))
    def pledge(self, quantity: int) -> None:
        trader = self.trader
        free = self.oracle.pledge(ACME.symbol, quantity, self.today)
        with contextlib.nullcontext() if free else pytest.raises(Refused):
            pledging.set_pledge(
                trader.shards, trader.user_id, ACME.symbol, quantity, self.today, trader.now
            )

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        """What was applied and is told again changes nothing, whenever it comes."""
        report = data.draw(st.sampled_from(self.told))
        assert self.trader.apply(report).outcome in {"DUPLICATE", "NOTHING"}
        self.oracle.settle(self.today)

    def tell(self, number: int, exec_type: str, **changes: object) -> str:
        """The ledger's answer to a report of the venue, which is the oracle's too."""
        told = self.trader.report(number, exec_type, **changes)
        traded = date.fromisoformat(told.trade_date)
        report = Report(number, told.exec_id, exec_type, told.request, told.last_quantity,
                        told.last_price, traded, settlement_date(traded, "nse"),
                        told.reject_code == 1)  # fmt: skip
        outcome = self.trader.apply(told).outcome
        assert outcome == self.busts.report(report, self.today)
        self.told.append(told)
        return outcome

    @invariant()
    def the_ledger_wrote_what_the_oracle_says(self) -> None:
        written = [Entry(*row) for row in self.rows(_LOG, seen=self.seen)]
        assert written == self.oracle.log[self.seen :]
        self.seen = len(self.oracle.log)

    @invariant()
    def the_rows_beside_the_log_are_what_the_oracle_says(self) -> None:
        oracle = self.oracle
        assert self.rows(_ACCOUNT) == [
            [self.seen, oracle.cash, oracle.held(), oracle.borrowed, oracle.unsettled(),
             oracle.blocked(), oracle.open_orders()]
        ]  # fmt: skip
        orders = [[i, o.status, o.filled, o.value] for i, o in oracle.orders.items()]
        assert sorted(self.rows(_ORDERS)) == sorted(orders)
        assert self.rows(_DUES) == [
            [day, due.unsettled, due.blocked, due.profit]
            for day, due in sorted(oracle.dues.days.items())
        ]

    @invariant()
    def the_ledger_holds_what_the_oracle_holds(self) -> None:
        oracle, symbol = self.oracle, ACME.symbol
        holding = [symbol, oracle.quantity(symbol), oracle.open_sell(symbol),
                   oracle.pledged.get(symbol, 0), oracle.cost(symbol)]  # fmt: skip
        assert self.rows(_HOLDINGS) == ([holding] if holding[1] else [])
        lots = sorted(oracle.lots.get(symbol, []), key=lambda lot: (lot.bought, lot.number))
        assert self.rows(_LOTS) == [
            [x.number, x.bought, x.settles, x.quantity, x.cost] for x in lots
        ]
        traded = {day: p for (_, day), p in oracle.positions.items() if p.traded}
        assert self.rows(_POSITIONS) == [
            [day, p.net, p.worth, p.realised] for day, p in sorted(traded.items())
        ]

    def rows(self, sql: str, **parameters: object) -> list[list[Any]]:
        database = self.trader.shards.of_user(self.trader.user_id)
        return database.run(sql, u=self.trader.user_id, **parameters)


@pytest.mark.timeout(600)
def test_any_life_of_an_account_is_what_the_oracle_says(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    run_state_machine_as_test(
        lambda: LedgerMachine(new_trader),  # type: ignore[arg-type]
        settings=settings(
            max_examples=25,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for judge in (verify_ledger, rebuild_ledger):
        problems = judge.run(ledger_databases.urls(OWNER)).problems
        assert [p for p in problems if "parked reports" not in p] == []
