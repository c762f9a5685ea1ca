"""What an account must look like after anything that can happen to it, worked out a second time.

One account in plain integers and exact fractions, written from the rules and not from the program:
nothing of `functions` is imported. Where the ledger keeps running totals, the oracle keeps the
orders, lots and days themselves and adds them up when asked, so that a mistake in one way of
keeping the books is not repeated here. Every change appends the events that it must leave.

Money in paise, prices in ten-thousandths of a rupee, days as dates.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from tests.support.oracle_dues import Dues
from tests.support.oracle_order import MARGIN, Order, Position, half_up

UNDER_WAY_MOST = 20  # withdrawals that the bank has not answered yet
USABLE_SAME_DAY = Fraction(80, 100)
"""Of what settled shares were sold for. The rest, and all of what shares bought the day before were
sold for, must settle first; of shares bought and sold on one day, what they gained."""


class Entry(NamedTuple):
    """One event: what it changed and the account after it."""

    kind: str
    ref: int | None
    cash_change: int
    held_change: int
    cash: int
    held: int
    borrowed: int
    unsettled: int
    blocked: int


class Report(NamedTuple):
    """What the venue says of an order: tag 150, "9" for a change refused, of an `unknown` one."""

    order: int
    exec_id: str
    exec_type: str
    request: int
    quantity: int
    price: int
    trade_date: date
    settles_on: date
    unknown: bool = False


@dataclass
class Lot:
    """What is left of one buy. `number` is the seq of the fill that made it."""

    number: int
    bought: date
    settles: date
    quantity: int
    cost: int


@dataclass
class Account:
    """One user's account from its opening on. `log` is what the ledger must have written."""

    cash: int = 0
    borrowed: int = 0
    dues: Dues = field(default_factory=Dues)
    orders: dict[int, Order] = field(default_factory=dict)
    live: list[Order] = field(default_factory=list)
    lots: dict[str, list[Lot]] = field(default_factory=dict)
    pledged: dict[str, int] = field(default_factory=dict)
    positions: dict[tuple[str, date], Position] = field(default_factory=dict)
    intraday: dict[date, list[int]] = field(default_factory=dict)
    reports: dict[tuple[date, str], Report] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    payouts: dict[int, int] = field(default_factory=dict)
    shortages: dict[tuple[str, date], tuple[int, int]] = field(default_factory=dict)
    loans: dict[date, int] = field(default_factory=dict)
    charged_through: date | None = None
    today: date = date.min
    under_review: bool = False

    # What there is

    def held(self) -> int:
        """Cash that working delivery buys and intraday positions keep."""
        working = self.working()
        return sum(o.reserve() for o in working if o.delivery_buy) + sum(
            self._margin(symbol, day) for symbol, day in self.positions
        )

    def unsettled(self) -> int:
        return self.dues.unsettled()

    def blocked(self) -> int:
        return self.dues.blocked()

    def available(self) -> int:
        """What an order may still need; negative when a late fill took more than was there."""
        return self.cash - self.held() - self.blocked()

    def withdrawable(self) -> int:
        return max(0, self.cash - self.held() - self.unsettled() - self.borrowed)

    def loan_at_end(self, day: date) -> int:
        """What was lent when that day had ended."""
        known = [written for written in self.loans if written <= day]
        return self.loans[max(known)] if known else 0

    def quantity(self, symbol: str) -> int:
        return sum(lot.quantity for lot in self.lots.get(symbol, []))

    def cost(self, symbol: str) -> int:
        return sum(lot.cost for lot in self.lots.get(symbol, []))

    def open_sell(self, symbol: str) -> int:
        return sum(o.shares() for o in self.working() if o.delivers(symbol))

    def unpledged(self, symbol: str) -> int:
        """What can leave the account at all."""
        return self.quantity(symbol) - self.pledged.get(symbol, 0)

    def deliverable(self, symbol: str, day: date) -> int:
        """What a sale of that day can be delivered from: not from what was bought later."""
        there = sum(lot.quantity for lot in self.lots.get(symbol, []) if lot.bought <= day)
        return max(0, there - self.pledged.get(symbol, 0))

    def sellable(self, symbol: str) -> int:
        return self.unpledged(symbol) - self.open_sell(symbol)

    def open_orders(self) -> int:
        return len(self.working())

    def working(self) -> list[Order]:
        """The orders that may still trade; one that has ended never works again."""
        self.live = [order for order in self.live if order.working]
        return self.live

    # What can happen

    def opened(self) -> None:
        self.note("ACCOUNT_OPENED", None)

    def settle(self, today: date) -> None:
        """What every visit to the account does first: proceeds due by today are the client's."""
        self.today = max(self.today, today)
        if self.dues.settle(today):
            self.note("SETTLED", None)

    def deposit(self, amount: int, today: date) -> None:
        self.settle(today)
        self.book("DEPOSITED", None, amount)

    def withdraw(self, number: int, amount: int, today: date) -> bool:
        """Whether it may leave: what is settled, held by nothing and owed to nobody."""
        self.settle(today)
        room = self.withdrawable() if len(self.payouts) < UNDER_WAY_MOST else 0
        if self.under_review or amount > room:
            self.note("WITHDRAWAL_REFUSED", number)
            return False
        self.payouts[number] = amount
        self.book("WITHDRAWAL_REQUESTED", number, -amount)
        return True

    def payout_ended(self, number: int, paid: bool, today: date) -> None:
        """The bank's last word: the money has arrived, or it comes back. Once."""
        self.settle(today)
        amount = self.payouts.pop(number, 0)
        if amount and paid:
            self.note("WITHDRAWAL_PAID", number)
        elif amount:
            self.book("WITHDRAWAL_RETURNED", number, amount)

    def pledge(self, symbol: str, quantity: int, today: date) -> bool:
        """Sets how many settled shares are pledged. Whether that is possible."""
        self.settle(today)
        settled = sum(x.quantity for x in self.lots.get(symbol, []) if x.settles <= today)
        free = max(0, min(self.quantity(symbol) - self.open_sell(symbol), settled))
        if not 0 <= quantity <= free or symbol not in self.lots:
            return False
        self.pledged[symbol] = quantity
        self.note("PLEDGE_SET", None)
        return True

    def place(self, number: int, order: Order, today: date, open_orders_most: int = 1_000) -> bool:
        """Whether the account can carry the order. A refusal is an event too."""
        self.settle(today)
        trusted = not self.under_review and self.open_orders() < open_orders_most
        if order.product == "MIS":
            self.positions.setdefault((order.symbol, order.trade_date), Position())
        room = self._room(order)
        held, self.orders[number] = self.held(), order
        self.live.append(order)
        accepted = trusted and self._needs(order, held) <= room
        if not accepted:
            order.status = "DENIED"
        self.note("ORDER_PLACED" if accepted else "ORDER_DENIED", number, held_before=held)
        return accepted

    def request_cancel(self, number: int, today: date) -> bool:
        """Whether one is on its way or behind a change in flight: not when the order has ended."""
        self.settle(today)
        order = self.orders[number]
        if not order.working:
            return False
        if order.is_leaving:
            self.note("CANCEL_REPEATED", number)
            return True
        order.cancel_waits = order.change is not None
        if not order.cancel_waits:
            order.ask("CANCEL", 0, 0)
        self.note("CANCEL_REQUESTED", number)
        return True

    def request_modify(self, number: int, quantity: int, price: int, today: date) -> bool:
        """Whether the venue is asked. Both the old and the new terms are kept reserved until it
        answers; only what the change adds must be free."""
        self.settle(today)
        order = self.orders[number]
        if not order.working or order.change is not None or quantity <= order.filled:
            return False
        held, room, shares = self.held(), self._room(order), order.shares()
        order.ask("MODIFY", quantity, price)
        if self.under_review or self._needs(order, held, shares) > room:
            order.take_back()
            self.note("CHANGE_DENIED", number)
            return False
        self.note("MODIFY_REQUESTED", number, held_before=held)
        return True

    def report(self, report: Report, today: date) -> str:
        """APPLIED, DUPLICATE, NOTHING (says nothing new) or PARKED, as the ledger must answer."""
        self.settle(today)
        order, key = self.orders[report.order], (report.trade_date, report.exec_id)
        if self.under_review:
            return "PARKED"
        named = report.exec_type != "9"  # a refused change has no execution's number
        if named and key in self.reports:
            return self._parked() if self.reports[key] != report else "DUPLICATE"
        happening = order.meaning(report.exec_type, report.request, report.unknown)
        if happening is None:
            return "NOTHING"
        if not order.can(happening, report.quantity):
            return self._parked()
        if named:
            self.reports[key] = report
        held = self.held()
        if happening == "FILL":
            self._fill(report, order, today, held)
        else:
            self.note(order.take(happening), report.order, held_before=held)
        return "APPLIED"

    # How it happens

    def _room(self, order: Order) -> int:
        """What is free of what the order needs: shares to deliver, or cash."""
        if order.delivers(order.symbol):
            return max(0, self.sellable(order.symbol))
        return max(0, self.available())

    def _needs(self, order: Order, held: int, shares: int = 0) -> int:
        """How much more than before, with the order already among the account's."""
        if order.delivers(order.symbol):
            return order.shares() - shares
        return self.held() - held

    def _margin(self, symbol: str, day: date) -> int:
        """What a day's intraday position and its working orders keep: each side is filled in
        thought, and the larger exposure counts. What only closes the position is free."""
        position = self.positions[symbol, day]
        orders = [o for o in self.working() if o.intraday(symbol, day)]
        margin = ceil(position.worth * MARGIN["MIS"])
        needs = [margin]
        for side, exposure in (("BUY", position.net), ("SELL", -position.net)):
            reserved = sum(o.reserve() for o in orders if o.side == side)
            shares = sum(o.shares() for o in orders if o.side == side)
            if exposure >= 0:
                needs.append(margin + reserved)
            elif shares > -exposure:
                needs.append(ceil(Fraction(reserved * (shares + exposure), shares)))
        return max(needs)

    def _fill(self, report: Report, order: Order, today: date, held: int) -> None:
        value = half_up(Fraction(report.quantity * report.price, 100))
        charge = order.fill(report.quantity, value)
        number, live = len(self.log) + 1, report.settles_on > today
        if order.product == "MIS":
            position = self.positions[order.symbol, order.trade_date]
            gain = position.fill(order.side, report.quantity, value) - charge
            self._add_result(report, gain, live)
        elif order.side == "BUY":
            gain = -value - charge
            number += self.cash + gain < 0  # the loan is an event before it
            self.lots.setdefault(order.symbol, []).append(
                Lot(number, report.trade_date, report.settles_on, report.quantity, value)
            )
        else:
            gain = self._deliver_sale(order.symbol, report, value, charge, live)
        self.book("FILL", report.order, gain, held)

    def _add_result(self, report: Report, gain: int, live: bool) -> None:
        """What a day's positions bring is paid as one sum: a profit that is lost never comes."""
        moved = self.intraday.setdefault(report.trade_date, [])
        profit = max(0, sum(moved))
        moved.append(gain)
        more = max(0, sum(moved)) - profit
        if live and more > 0:
            self.dues.gain(report.settles_on, more)
        elif live:
            self.dues.lose(report.settles_on, -more)

    def _deliver_sale(
        self, symbol: str, report: Report, value: int, charge: int, live: bool
    ) -> int:
        """Sells what may leave the account; the rest is short in the position of that day. Returns
        what moves in cash."""
        there = min(report.quantity, self.deliverable(symbol, report.trade_date))
        paid = half_up(Fraction(value * there, report.quantity))
        blocked, gain = self.sell(symbol, there, paid, report.trade_date), 0
        if there < report.quantity:
            position = self.positions.setdefault((symbol, report.trade_date), Position())
            gain = position.fill("SELL", report.quantity - there, value - paid)
            self._add_result(report, gain, live)
        if live and paid > charge:
            self.dues.add(report.settles_on, paid - charge, blocked)
        return paid + gain - charge

    def sell(self, symbol: str, quantity: int, value: int, day: date) -> int:
        """Takes shares first in, first out, behind the oldest ones, which are those pledged.
        Returns what of the proceeds must settle first."""
        blocked = sold = shared = 0
        pledged = self.pledged.get(symbol, 0)
        lots = sorted(self.lots.get(symbol, []), key=lambda lot: (lot.bought, lot.number))
        for lot in lots:
            free = max(0, lot.quantity - pledged)
            pledged -= lot.quantity - free
            take = min(free, quantity - sold)
            if take == 0:
                continue
            cost = half_up(Fraction(lot.cost * take, lot.quantity))
            sold += take
            part = half_up(Fraction(value * sold, quantity)) - shared
            shared += part
            if lot.settles <= day:
                blocked += ceil(part * (1 - USABLE_SAME_DAY))
            elif lot.bought < day:
                blocked += part
            else:
                blocked += max(0, part - cost)
            lot.quantity -= take
            lot.cost -= cost
        self.lots[symbol] = [lot for lot in lots if lot.quantity]
        return blocked

    def book(self, kind: str, ref: int | None, cash: int, held: int | None = None) -> None:
        """Money moves: what lacks is lent before, and money that comes in repays after."""
        if self.cash + cash < 0:
            lent = -(self.cash + cash)
            self.cash, self.borrowed = self.cash + lent, self.borrowed + lent
            self.note("BORROWED", ref, cash_change=lent, held_now=held)
            if self.charged_through is None:
                self.charged_through = self.today - timedelta(days=1)
        self.cash += cash
        self.dues.use(self.cash)
        self.note(kind, ref, cash_change=cash, held_before=held)
        repaid = min(self.borrowed, max(0, cash))
        if repaid:
            self.dues.use(self.cash - repaid)
            self.cash, self.borrowed = self.cash - repaid, self.borrowed - repaid
            self.note("REPAID", ref, cash_change=-repaid)

    def _parked(self) -> str:
        """Nothing of it can be trusted until a person has looked at the report."""
        self.under_review = True
        return "PARKED"

    def note(
        self,
        kind: str,
        ref: int | None,
        cash_change: int = 0,
        held_before: int | None = None,
        held_now: int | None = None,
    ) -> None:
        """`held_before`: what was held before it, when it changes that; `held_now`: what is held at
        it, when a later one changes it."""
        self.loans[self.today] = self.borrowed
        held = self.held() if held_now is None else held_now
        change = 0 if held_before is None else held - held_before
        self.log.append(
            Entry(kind, ref, cash_change, change, self.cash, held, self.borrowed,
                  self.unsettled(), self.blocked())
        )  # fmt: skip
