"""Trades that the venue takes back, for the state machine that has the oracle beside the ledger."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support.ledger import price
from tests.support.oracle_busts import Busts
from tests.support.waiting_rules import WaitingRules


class BustRules(WaitingRules):
    """Busts, and corrections of a price, of the day's trades that can be undone exactly."""

    busts: Busts

    @precondition(lambda self: self.busts.bustable(self.today))
    @rule(data=st.data(), opens=st.booleans(), corrected=st.integers(80, 120) | st.none())
    def take_back(self, data: st.DataObject, opens: bool, corrected: int | None) -> None:
        """The venue busts a trade, or says that its price was another."""
        name = data.draw(st.sampled_from(self.busts.bustable(self.today)))
        trade = self.busts.trades[name]
        number, order = trade.report.order, trade.order
        word = "0" if opens and (order.working or order.status == "FILLED") else "4"
        changes: dict[str, object] = {"exec_ref": name, "ord_status": word}
        if corrected is not None:
            changes |= {"last_quantity": trade.report.quantity, "last_price": price(corrected)}
        told = self.trader.report(number, "H" if corrected is None else "G", **changes)
        assert self.trader.apply(told).outcome == "APPLIED"
        assert self.trader.apply(told).outcome == "DUPLICATE"
        again = 0 if corrected is None else trade.report.quantity
        self.busts.bust(name, word == "0", self.today, again)
        if corrected is not None:
            self.busts.correct(trade, told.exec_id, price(corrected), self.today)
