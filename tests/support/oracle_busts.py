"""The oracle's trades that the venue takes back: what each did is kept, then done the other way.

What a fill did is found by looking at the account before and after it. Nothing of `functions` is
imported. Money in paise.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from tests.support import oracle_exits
from tests.support.ledger_oracle import USABLE_SAME_DAY, Account, Lot, Report
from tests.support.oracle_dues import Due
from tests.support.oracle_order import Order, Position, charges, half_up


class Trade(NamedTuple):
    """A fill and what it did: the lots it made or took from, the shares a sale lacked and what they
    were worth, what was to settle and was used for it, and its charges."""

    report: Report
    order: Order
    value: int
    charge: int
    lots: list[Lot]
    short: int
    short_value: int
    used: Due

    @property
    def place(self) -> tuple[str, date]:
        intraday = self.order.product == "MIS"
        return self.order.symbol, self.order.trade_date if intraday else self.report.trade_date


@dataclass
class Busts:
    """The trades of one account that stand, by ExecID."""

    account: Account
    trades: dict[str, Trade] = field(default_factory=dict)

    def report(self, report: Report, today: date) -> str:
        """As `Account.report`; keeps what a fill did."""
        account, order = self.account, self.account.orders[report.order]
        account.settle(today)
        before = {lot.number: lot for lot in deepcopy(account.lots.get(order.symbol, []))}
        charged, dues = order.charged, Due(account.unsettled(), account.blocked())
        known = (report.trade_date, report.exec_id) in account.reports
        outcome = account.report(report, today)
        if outcome != "APPLIED" or report.exec_type != "F" or known:
            return outcome
        value = half_up(Fraction(report.quantity * report.price, 100))
        moved: list[Lot] = []
        after = {lot.number: lot for lot in account.lots.get(order.symbol, [])}
        for number in sorted(before.keys() | after.keys()):
            lot = before.get(number) or after[number]
            was, now = before.get(number), after.get(number)
            quantity = abs((was.quantity if was else 0) - (now.quantity if now else 0))
            cost = abs((was.cost if was else 0) - (now.cost if now else 0))
            if quantity:
                moved.append(Lot(number, lot.bought, lot.settles, quantity, cost))
        there = sum(lot.quantity for lot in moved)
        short = report.quantity - there
        used = Due(dues.unsettled - account.unsettled(), dues.blocked - account.blocked())
        self.trades[report.exec_id] = Trade(
            report, order, value, order.charged - charged, moved, short,
            value - half_up(Fraction(value * there, report.quantity)), used,
        )  # fmt: skip
        oracle_exits.fit(account, order.symbol)
        if order.filled > order.quantity:
            account.note("ORDER_OVERFILLED", report.order)
        return outcome

    def bustable(self, today: date) -> list[str]:
        """Trades of the day that can be undone exactly."""
        return [
            name for name, trade in self.trades.items()
            if trade.place[1] == trade.report.trade_date == today and self._is_whole(trade)
        ]  # fmt: skip

    def _is_whole(self, trade: Trade) -> bool:
        if not trade.order.delivery_buy:
            return True
        return all(lot in self.account.lots[trade.order.symbol] for lot in trade.lots)

    def bust(self, name: str, opens: bool, today: date, again: int = 0) -> None:
        """The venue takes a trade back, and says whether a filled order is open again. `again`:
        shares of it that a correction books behind this."""
        account, trade = self.account, self.trades.pop(name)
        account.settle(today)
        order, report = trade.order, trade.report
        held = account.held()
        back = self._shrink(trade, opens, again)
        sign = 1 if order.side == "BUY" else -1
        paid, realised = trade.value - trade.short_value, 0
        if trade.short:
            realised = self._position_without(trade)
            account._add_result(report, realised + (back if order.product == "MIS" else 0), True)
        if order.product == "CNC":
            self._return_shares(trade, paid)
        account.book("FILL_BUSTED", report.order, sign * paid + back + realised, held)
        if not again:
            oracle_exits.fit(account, order.symbol)

    def correct(self, trade: Trade, exec_id: str, at: int, today: date) -> None:
        """What the trade is now, booked behind its bust; `exec_id` is the correction's."""
        self.report(trade.report._replace(exec_id=exec_id, price=at), today)

    def _shrink(self, trade: Trade, opens: bool, again: int) -> int:
        """The order without the trade, in the state it is left in. Returns the charges given
        back."""
        order = trade.order
        order.filled -= trade.report.quantity
        order.value -= trade.value
        whole = charges(order.product, order.side, order.value)
        back, order.charged = order.charged - whole, whole
        left = order.filled + again
        if left >= order.quantity:
            order.status = "FILLED"
        elif opens and (
            order.working
            or (order.status == "FILLED" and order.trade_date >= trade.report.trade_date)
        ):
            order.status = "PARTIALLY_FILLED" if left else "OPEN"
        elif order.working or order.status == "FILLED":
            order.status, order.change, order.cancel_waits = "CANCELLED", None, False
        if order.working and not any(order is other for other in self.account.live):
            self.account.live.append(order)
        return back

    def _position_without(self, trade: Trade) -> int:
        """The day's position made again of its other trades. Returns what that changed of what was
        realised."""
        again = Position()
        for other in self.trades.values():
            if other.place == trade.place and other.short:
                again.fill(other.order.side, other.short, other.short_value)
        before, self.account.positions[trade.place] = self.account.positions[trade.place], again
        return again.realised - before.realised

    def _return_shares(self, trade: Trade, paid: int) -> None:
        account, order, day = self.account, trade.order, trade.report.settles_on
        lots = account.lots[order.symbol]
        if order.side == "BUY":
            for lot in trade.lots:
                lots.remove(lot)
            if trade.used.unsettled > 0:
                account.dues.add(day, trade.used.unsettled, trade.used.blocked)
            return
        for part in trade.lots:
            mine = next((lot for lot in lots if lot.number == part.number), None)
            if mine is None:
                lots.append(deepcopy(part))
            else:
                mine.quantity, mine.cost = mine.quantity + part.quantity, mine.cost + part.cost
        gain, due = paid - trade.charge, account.dues.days.get(day)
        if due is None or gain <= 0:
            return
        less = min(gain, due.unsettled)
        blocked = max(
            min(self._blocked(trade, paid), gain, due.blocked - due.profit),
            due.blocked - due.unsettled + less,
        )
        due.unsettled, due.blocked = due.unsettled - less, due.blocked - blocked
        due.profit = min(due.profit, due.blocked)
        if not due.unsettled:
            del account.dues.days[day]

    def _blocked(self, trade: Trade, paid: int) -> int:
        """What of the proceeds had to settle first, lot by lot as they were sold."""
        there, sold, shared, blocked = trade.report.quantity - trade.short, 0, 0, 0
        day = trade.report.trade_date
        for lot in sorted(trade.lots, key=lambda lot: (lot.bought, lot.number)):
            sold += lot.quantity
            part = half_up(Fraction(paid * sold, there)) - shared
            shared += part
            if lot.settles <= day:
                blocked += ceil(part * (1 - USABLE_SAME_DAY))
            else:
                blocked += part if lot.bought < day else max(0, part - lot.cost)
        return blocked
