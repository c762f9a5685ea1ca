"""A day of ten thousand customers: what honest ones do, some of it close to what rules look for.

Invariant: the same seed makes the same day. Who is honest here is honest whatever the rules say:
scalpers with many round trips, programs with many cancels, travellers who withdraw, families on
one tablet in a stock that is in the news.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from functions.shared.domain.surveillance.pumping import DayFigures, StockFigures
from functions.shared.domain.surveillance.watched import (
    Asked,
    Ended,
    Happening,
    MoneyOut,
    Placed,
    Told,
    Traded,
)

DAY: Final = "2026-11-23"
SECOND: Final = 1_000_000
_OPEN: Final = 1_795_405_500 * SECOND
_SESSION: Final = 22_500 * SECOND
_LAKH: Final = 100_000 * 100
_CRORE: Final = 100 * _LAKH
#: What a customer is, and how many of a hundred are.
_KINDS: Final = {"quiet": 55, "active": 30, "day trader": 10, "program": 3, "traveller": 2}
_LIQUID, _THIN = 300, 200


@dataclass
class Stock:
    """`price` in ten-thousandths of a rupee; `news`: it rises today, for a reason."""

    symbol: str
    price: int
    daily: int
    thin: bool
    news: bool = False


@dataclass
class Population:
    """Happenings by time, who is linked to whom, the stocks' figures, and who was planted as what
    (rule -> users)."""

    happenings: list[tuple[int, Happening]] = field(default_factory=list)
    links: dict[int, set[int]] = field(default_factory=dict)
    stocks: dict[str, Stock] = field(default_factory=dict)
    figures: dict[tuple[str, str], StockFigures] = field(default_factory=dict)
    planted: dict[str, set[int]] = field(default_factory=dict)

    def link(self, one: int, other: int) -> None:
        self.links.setdefault(one, set()).add(other)
        self.links.setdefault(other, set()).add(one)


class Street:
    """Writes what customers do; every order has a number of its own."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made = Population()
        self._order = 0
        for number in range(_LIQUID + _THIN):
            self._list(number)

    def _list(self, number: int) -> None:
        thin = number >= _LIQUID
        daily = (
            self.random.randint(1, 40) * _CRORE // 10
            if thin
            else (self.random.randint(50, 3000) * _CRORE)
        )
        price = self.random.randint(20, 4000) * 10_000
        stock = Stock(f"S{number:03}", price, daily, thin, thin and self.random.random() < 0.04)
        self.made.stocks[stock.symbol] = stock
        figures = StockFigures()
        for _ in range(20):
            value = int(daily * self.random.lognormvariate(0, 0.35))
            close = int(price * self.random.gauss(1, 0.02))
            quantity = value * 100 // close
            figures.history.append(DayFigures(quantity, value, int(close * 1.01), close))
        if stock.news:
            self.figure(stock, figures, 1.14, self.random.uniform(4, 7))
        else:
            up, volume = self.random.uniform(0.99, 1.03), self.random.lognormvariate(0, 0.3)
            self.figure(stock, figures, up, volume)

    def figure(self, stock: Stock, figures: StockFigures, up: float, volume: float) -> int:
        """The market's day in a stock: its highest price and its volume, by what is usual. The
        shares that are."""
        high = int(stock.price * up)
        quantity = max(1, int(stock.daily * volume) * 100 // stock.price)
        figures.market = DayFigures(quantity, int(stock.daily * volume), high, high)
        self.made.figures[stock.symbol, DAY] = figures
        return quantity

    def at(self, begins: int = 0) -> int:
        return _OPEN + self.random.randrange(begins, _SESSION)

    def pick(self, *, thin: float = 0.08) -> Stock:
        number = self.random.randrange(_LIQUID)
        if self.random.random() < thin:
            number = self.random.randrange(_LIQUID, _LIQUID + _THIN)
        return self.made.stocks[f"S{number:03}"]

    def add(self, user: int, happening: Happening) -> None:
        self.made.happenings.append((user, happening))

    def place(self, user: int, stock: Stock, side: str, quantity: int, at: int) -> int:
        self._order += 1
        self.add(user, Placed(DAY, at, self._order, stock.symbol, side, quantity))
        return self._order

    def trade(
        self, user: int, stock: Stock, side: str, quantity: int, at: int, price: int = 0
    ) -> None:
        """An order that is filled within a second, in one trade or in three."""
        order = self.place(user, stock, side, quantity, at)
        price = price or int(stock.price * self.random.gauss(1, 0.005))
        parts = [quantity] if quantity < 3 or self.random.random() < 0.7 else [
            quantity // 3, quantity // 3, quantity - 2 * (quantity // 3)
        ]  # fmt: skip
        for number, part in enumerate(parts):
            at += self.random.randrange(SECOND // 3)
            value = part * price // 100
            ends = number == len(parts) - 1
            self.add(user, Traded(DAY, at, order, stock.symbol, side, part, value, price, ends))

    def cancel(self, user: int, stock: Stock, side: str, quantity: int, at: int, life: int) -> None:
        """An order that is taken away unfilled after `life`."""
        order = self.place(user, stock, side, quantity, at)
        self.add(user, Asked(DAY, at + life, order, stock.symbol))
        self.add(user, Ended(DAY, at + life + SECOND // 100, order, 0, True))

    def log_in(self, user: int, at: int, action: str = "LOGIN_OK", *, new: bool = False) -> None:
        self.add(user, Told(DAY, at, action, new_device=new, country="IN"))

    def size(self, stock: Stock, lakhs: float) -> int:
        return max(1, int(lakhs * _LAKH) * 100 // stock.price)


def honest(street: Street, users: range) -> None:
    """A day of each of these customers."""
    kinds = street.random.choices([*_KINDS], [*_KINDS.values()], k=len(users))
    for user, kind in zip(users, kinds, strict=True):
        street.log_in(user, street.at() - SECOND, new=street.random.random() < 0.02)
        _DAYS[kind](street, user)
        if street.random.random() < 0.02:
            amount = street.random.randint(1, 100) * _LAKH // 10
            share = street.random.uniform(1, 4)
            street.add(user, MoneyOut(DAY, street.at(), amount, int(amount * share)))
    for user in users:
        if street.random.random() < 0.04:
            street.made.link(user, street.random.choice(users))


def _quiet(street: Street, user: int) -> None:
    for _ in range(street.random.choice((0, 0, 1, 1, 2))):
        stock = street.pick()
        side = street.random.choice(("BUY", "BUY", "SELL"))
        street.trade(user, stock, side, street.size(stock, street.random.uniform(0.05, 0.5)),
                     street.at())  # fmt: skip


def _active(street: Street, user: int) -> None:
    news = [s for s in street.made.stocks.values() if s.news]
    for _ in range(street.random.randint(3, 10)):
        drawn = news and street.random.random() < 0.05
        stock = street.random.choice(news) if drawn else street.pick()
        size = street.size(stock, street.random.uniform(0.1, 1))
        at, side = street.at(), street.random.choice(("BUY", "SELL"))
        if street.random.random() < 0.2:
            street.cancel(user, stock, side, size, at, street.random.randint(5, 900) * SECOND)
        else:
            street.trade(user, stock, side, size, at)


def _day_trader(street: Street, user: int) -> None:
    for _ in range(street.random.randint(1, 4)):
        stock, at = street.pick(thin=0.01), street.at(0)
        size = street.size(stock, street.random.uniform(0.5, 5))
        trips = min(18, 1 + int(street.random.expovariate(1 / 2.6)))
        for _ in range(trips):
            street.trade(user, stock, "BUY", size, at)
            at += street.random.randint(20, 600) * SECOND
            if street.random.random() < 0.3:
                street.cancel(user, stock, "SELL", size, at, street.random.randint(3, 60) * SECOND)
                at += 61 * SECOND
            street.trade(user, stock, "SELL", size, at)
            at += street.random.randint(20, 600) * SECOND


def _program(street: Street, user: int) -> None:
    stock, at = street.pick(thin=0.0), street.at(0)
    size = street.size(stock, street.random.uniform(0.2, 2))
    for _ in range(street.random.randint(40, 250)):
        at += street.random.randint(1, 40) * SECOND
        side = street.random.choice(("BUY", "SELL"))
        if street.random.random() < 0.75:
            street.cancel(user, stock, side, size, at, street.random.randint(1, 30) * SECOND)
        else:
            street.trade(user, stock, side, street.random.randint(1, size), at)


def _traveller(street: Street, user: int) -> None:
    at = street.at()
    action = street.random.choice(("LOGIN_OK", "LOGIN_OK", "CHALLENGE_PASSED"))
    street.log_in(user, at, action, new=True)
    if street.random.random() < 0.1:
        amount = street.random.randint(1, 50) * _LAKH // 10
        cash = int(amount * street.random.uniform(1, 5))
        street.add(user, MoneyOut(DAY, at + 600 * SECOND, amount, cash))
    _quiet(street, user)


_DAYS: Final = {
    "quiet": _quiet, "active": _active, "day trader": _day_trader, "program": _program,
    "traveller": _traveller,
}  # fmt: skip
