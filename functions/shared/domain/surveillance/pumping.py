"""Pump and dump: a thin stock that linked accounts buy up and sell to those who follow.

Invariant: judged on the stock's own history; without enough of it nothing is found. Accounts are
linked by opaque marks (a device, a network, a bank account) and never by who their owners are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from functions.shared.domain.surveillance.findings import Finding, Reason, Rule, score_of
from functions.shared.domain.surveillance.parameters import Parameters
from functions.shared.domain.surveillance.watched import Traded

_PRICE, _VOLUME, _SHARE, _DUMP = 25, 20, 30, 25
_CLOSES: Final = 5
HISTORY_DAYS: Final = 20


@dataclass(slots=True)
class DayFigures:
    """A stock's day: shares, their value in paise, the highest price in 1/10,000 rupee."""

    quantity: int = 0
    value: int = 0
    high: int = 0
    close: int = 0


@dataclass(slots=True)
class Side:
    """What an account bought and sold of a stock, in shares and paise."""

    bought: int = 0
    bought_value: int = 0
    sold: int = 0
    sold_value: int = 0

    def add(self, side: str, quantity: int, value: int) -> None:
        if side == "BUY":
            self.bought += quantity
            self.bought_value += value
        else:
            self.sold += quantity
            self.sold_value += value


@dataclass(slots=True)
class StockFigures:
    """A stock on a day: its days before, oldest first; the market's today, where it is known; what
    our clients did today, and each of them over the last days; `new`: since it was loaded."""

    history: list[DayFigures] = field(default_factory=list)
    market: DayFigures | None = None
    today: DayFigures = field(default_factory=DayFigures)
    traders: dict[int, Side] = field(default_factory=dict)
    new: dict[int, Side] = field(default_factory=dict)

    def add(self, user_id: int, trade: Traded) -> None:
        self.today.quantity += trade.quantity
        self.today.value += trade.value
        self.today.high = max(self.today.high, trade.price)
        self.today.close = trade.price
        for sides in (self.traders, self.new):
            sides.setdefault(user_id, Side()).add(trade.side, trade.quantity, trade.value)

    @property
    def volume(self) -> int:
        """Shares today, by the market where it is known; never less than our clients alone."""
        return max(self.today.quantity, self.market.quantity if self.market else 0)

    @property
    def high(self) -> int:
        return max(self.today.high, self.market.high if self.market else 0)

    def is_thin(self, parameters: Parameters) -> bool:
        """Whether it trades little a day, by its history; without one, nobody says so."""
        if len(self.history) < parameters.history_least:
            return False
        return sum(d.value for d in self.history) <= parameters.thin_value * len(self.history)


def judge_pumping(
    user_id: int, trade: Traded, stock: StockFigures, linked: Iterable[int], parameters: Parameters
) -> Finding | None:
    """Asked at each trade of a thin stock by an account that is linked to others."""
    members = sorted({user_id, *(other for other in linked if other in stock.traders)})
    if len(members) < parameters.group_least or not stock.is_thin(parameters):
        return None
    group = _sum(stock, members)
    signs = (
        _price(stock, parameters),
        _volume(stock, parameters),
        _share(stock, group, parameters),
        _dump(group, parameters),
    )
    reasons = [sign for sign in signs if sign]
    if score_of(reasons) < parameters.findings_from:
        return None
    return Finding(
        Rule.PUMP_AND_DUMP, members[0], trade.symbol, trade.day, trade.at, tuple(reasons),
        trade.order_id, others=tuple(members[1:]),
    )  # fmt: skip


def _sum(stock: StockFigures, members: list[int]) -> Side:
    group = Side()
    for member in members:
        side = stock.traders.get(member, Side())
        group.add("BUY", side.bought, side.bought_value)
        group.add("SELL", side.sold, side.sold_value)
    return group


def _price(stock: StockFigures, parameters: Parameters) -> Reason | None:
    closes = [day.close for day in stock.history[-_CLOSES:] if day.close]
    if not closes:
        return None
    mean = sum(closes) // len(closes)
    up = (stock.high - mean) * 100 // mean
    if up < parameters.price_up_percent:
        return None
    return Reason("PRICE_ABOVE_ITS_DAYS", f"{up} %", f"{parameters.price_up_percent} %", _PRICE)


def _volume(stock: StockFigures, parameters: Parameters) -> Reason | None:
    usual = sum(day.quantity for day in stock.history) // len(stock.history)
    if usual <= 0 or stock.volume < usual * parameters.volume_times:
        return None
    times = stock.volume // usual
    return Reason("VOLUME_TIMES_USUAL", str(times), str(parameters.volume_times), _VOLUME)


def _share(stock: StockFigures, group: Side, parameters: Parameters) -> Reason | None:
    percent = max(group.bought, group.sold) * 100 // max(1, stock.volume)
    if percent < parameters.group_percent:
        return None
    return Reason("LINKED_ACCOUNTS_SHARE", f"{percent} %", f"{parameters.group_percent} %", _SHARE)


def _dump(group: Side, parameters: Parameters) -> Reason | None:
    if not group.bought or group.sold * 100 < group.bought * parameters.dumped_percent:
        return None
    # Average sell over average buy, without a quotient: values crossed with quantities.
    paid, got = group.bought_value * group.sold, group.sold_value * group.bought
    gain = (got - paid) * 100 // max(1, paid)
    if gain < parameters.dumped_gain_percent:
        return None
    return Reason("SOLD_ABOVE_COST", f"{gain} %", f"{parameters.dumped_gain_percent} %", _DUMP)
