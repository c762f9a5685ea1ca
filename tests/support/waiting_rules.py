"""What can happen to orders that wait, for the state machine that has the oracle beside the ledger.

Every rule does it to both, and what the ledger answers must be what the oracle says.
"""

from datetime import date

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from functions.shared.domain.orders import Product, Side
from tests.support import oracle_exits, oracle_waiting
from tests.support.ledger import ACME, Trader, price
from tests.support.ledger_oracle import Account
from tests.support.waiting import LAST, expire, gtt, modify_stop, release, stop


class WaitingRules(RuleBasedStateMachine):
    """Stops and GTTs of one user of the real ledger, and of the oracle beside it."""

    trader: Trader
    oracle: Account

    @property
    def today(self) -> date:
        return self.trader.today

    @rule(side=st.sampled_from(Side), product=st.sampled_from(Product),
          quantity=st.integers(1, 100), away=st.integers(1, 19))  # fmt: skip
    def place_stop(self, side: Side, product: Product, quantity: int, away: int) -> None:
        trigger = 100 + (away if side is Side.BUY else -away)
        placed = stop(self.trader, side, quantity, trigger, product=product)
        assert placed.order is not None
        number = placed.order.order_id
        order = oracle_waiting.new_stop(
            ACME.symbol, side.value, product.value, quantity, price(trigger), LAST, self.today
        )  # fmt: skip
        order.closes = oracle_exits.closes(self.oracle, order)
        accepted = self.oracle.place(number, order, self.today)
        assert (placed.outcome == "ACCEPTED") is accepted, placed.rules

    @rule(side=st.sampled_from(Side), quantity=st.integers(1, 100), away=st.integers(1, 19),
          above=st.booleans())  # fmt: skip
    def place_gtt(self, side: Side, quantity: int, away: int, above: bool) -> None:
        trigger = 100 + (away if above else -away)
        placed = gtt(self.trader, side, quantity, trigger, trigger)
        assert placed.order is not None
        number = placed.order.order_id
        order = oracle_waiting.new_gtt(
            ACME.symbol, side.value, quantity, price(trigger), price(trigger), LAST, self.today
        )
        accepted = self.oracle.place(number, order, self.today)
        assert (placed.outcome == "ACCEPTED") is accepted, placed.rules

    @precondition(lambda self: oracle_waiting.waiting(self.oracle))
    @rule(data=st.data(), rupees=st.integers(81, 119), times=st.integers(1, 2))
    def trade_at(self, data: st.DataObject, rupees: int, times: int) -> None:
        """A watcher says that a trade reached a trigger; it may err, and say so twice."""
        number = data.draw(st.sampled_from(oracle_waiting.waiting(self.oracle)))
        for _ in range(times):
            outcome = release(self.trader, number, rupees).outcome
            said = oracle_waiting.release(self.oracle, number, price(rupees), LAST, self.today)
            assert outcome == said

    @precondition(lambda self: oracle_waiting.waiting(self.oracle))
    @rule(data=st.data(), cancelled=st.booleans())
    def stop_waiting(self, data: st.DataObject, cancelled: bool) -> None:
        """A GTT is only cancelled: an event of next year would date all that comes after it."""
        number = data.draw(st.sampled_from(oracle_waiting.waiting(self.oracle)))
        cancelled = cancelled or self.oracle.orders[number].gtt
        if cancelled:
            self.trader.cancel(number)
        else:
            assert expire(self.trader, number)
        status = "CANCELLED" if cancelled else "EXPIRED"
        oracle_waiting.end(self.oracle, number, status, self.today)

    @precondition(lambda self: oracle_waiting.waiting(self.oracle))
    @rule(data=st.data(), quantity=st.integers(1, 300), away=st.integers(1, 19))
    def modify_waiting(self, data: st.DataObject, quantity: int, away: int) -> None:
        number = data.draw(st.sampled_from(oracle_waiting.waiting(self.oracle)))
        order = self.oracle.orders[number]
        if order.gtt:
            return
        trigger = 100 + (away if order.side == "BUY" else -away)
        answer = modify_stop(self.trader, number, quantity, trigger)
        limit = oracle_waiting.protected(order.side, price(trigger), LAST)
        fits = oracle_waiting.modify(
            self.oracle, number, quantity, price(trigger), limit, self.today
        )
        assert (answer.rules == []) is fits, answer.rules
