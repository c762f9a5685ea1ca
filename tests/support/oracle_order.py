"""The oracle's orders and intraday positions: what they keep reserved, cost and become.

Nothing of `functions` is imported. Money in paise, prices in ten-thousandths of a rupee.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple

WORKING = ("PENDING", "OPEN", "PARTIALLY_FILLED", "TRIGGER_PENDING")

#: Per cent of the traded value: brokerage (and its cap per order in paise), STT, exchange, investor
#: protection fund, regulator, stamp duty. NSE from 1 March 2026.
_TARIFF = {
    ("CNC", "BUY"): ("0", 0, "0.1", "0.0030699", "0.0000001", "0.0001", "0.015"),
    ("CNC", "SELL"): ("0", 0, "0.1", "0.0030699", "0.0000001", "0.0001", "0"),
    ("MIS", "BUY"): ("0.03", 20_00, "0", "0.0030699", "0.0000001", "0.0001", "0.003"),
    ("MIS", "SELL"): ("0.03", 20_00, "0.025", "0.0030699", "0.0000001", "0.0001", "0"),
}
#: The part of what is traded that must be there: all for delivery, a fifth intraday.
MARGIN = {"CNC": Fraction(1), "MIS": Fraction(1, 5)}
_TAX_ON_SERVICES = Fraction(18, 100)


def half_up(value: Fraction) -> int:
    """To the nearest whole, halves up; for values that are not negative."""
    return floor(value + Fraction(1, 2))


def charges(product: str, side: str, value: int) -> int:
    """Everything one order is charged on what it has traded, in paise."""
    brokerage, cap, *others = _TARIFF[product, side]
    fee = min(half_up(value * Fraction(brokerage) / 100), cap)
    stt, exchange, fund, regulator, stamp = (half_up(value * Fraction(p) / 100) for p in others)
    tax = half_up((fee + exchange + regulator) * _TAX_ON_SERVICES)
    return fee + stt + exchange + fund + regulator + stamp + tax


@lru_cache(maxsize=10_000)
def needed(product: str, side: str, quantity: int, price: int) -> int:
    """Paise that must be there for the whole of an order, charges included."""
    value = half_up(Fraction(quantity * price, 100))
    return ceil(value * MARGIN[product]) + charges(product, side, value)


class Change(NamedTuple):
    """What was asked of the venue and is not answered yet."""

    kind: str
    quantity: int
    price: int


@dataclass
class Order:
    """One order."""

    symbol: str
    side: str
    product: str
    quantity: int
    price: int
    trade_date: date
    status: str = "PENDING"
    filled: int = 0
    value: int = 0
    charged: int = 0
    requests: int = 0
    acknowledged: bool = False
    change: Change | None = None
    cancel_waits: bool = False
    trigger: int | None = None
    sent: bool = True
    gtt: bool = False
    rising: bool = False
    closes: bool = False
    cut: int | None = None

    @property
    def working(self) -> bool:
        return self.status in WORKING

    @property
    def delivery_buy(self) -> bool:
        return self.product == "CNC" and self.side == "BUY"

    def delivers(self, symbol: str) -> bool:
        """Whether it sells shares of that symbol out of the holding."""
        return self.product == "CNC" and self.side == "SELL" and self.symbol == symbol

    def intraday(self, symbol: str, day: date) -> bool:
        return (self.product, self.symbol, self.trade_date) == ("MIS", symbol, day)

    @property
    def is_leaving(self) -> bool:
        """Whether a cancel is on its way, or behind a change."""
        return self.cancel_waits or (self.change is not None and self.change.kind == "CANCEL")

    @property
    def keeps_nothing(self) -> bool:
        """A GTT only promises to try while it waits, and a stop that closes only makes less."""
        return (self.gtt or self.closes) and self.status == "TRIGGER_PENDING"

    def _terms(self) -> list[tuple[int, int]]:
        """Shares, and the paise that they all need, of what it is and is asked to become. `cut`:
        the paise of one that was made smaller, which are its part of what it had."""
        whole = needed(self.product, self.side, self.quantity, self.price)
        terms = [(self.quantity, whole if self.cut is None else self.cut)]
        if self.change is not None and self.change.kind == "MODIFY":
            _, quantity, price = self.change
            terms.append((quantity, needed(self.product, self.side, quantity, price)))
        return terms

    def shrink(self, quantity: int) -> None:
        """It is for less by now."""
        _, whole = self._terms()[0]
        self.cut, self.quantity = -(-whole * quantity // self.quantity), quantity

    def reserve(self) -> int:
        """Paise for what may still trade: margin and charges of the dearer of what it is and what
        it is asked to become, for the part that is not filled."""
        if not self.working or self.keeps_nothing:
            return 0
        return max(self._part(quantity, whole) for quantity, whole in self._terms())

    def shares(self) -> int:
        """Shares that may still trade."""
        if not self.working or self.keeps_nothing:
            return 0
        return max(0, max(quantity for quantity, _ in self._terms()) - self.filled)

    def _part(self, quantity: int, whole: int) -> int:
        if self.product == "CNC" and self.side == "SELL":
            return 0
        rest = max(0, quantity - self.filled)
        return -(-whole * rest // quantity)

    # Its life

    def ask(self, kind: str, quantity: int, price: int) -> None:
        self.change = Change(kind, quantity, price)
        self.requests += 1

    def take_back(self) -> None:
        """The change was refused before anybody heard of it."""
        self.change = None
        self.requests -= 1

    def meaning(self, exec_type: str, request: int, unknown: bool = False) -> str | None:
        """What a report says happened; None when it says nothing new. `unknown`: it refuses a
        change because the venue has no such order."""
        answers = self.change is not None and self.requests == request
        match exec_type:
            case "F":
                return "FILL"
            case "0":
                known = self.acknowledged and self.status != "PENDING"
                return None if known else "ACKNOWLEDGED"
            case "4":
                return None if self.status == "CANCELLED" else "CANCELLED"
            case "C":
                return None if self.status == "EXPIRED" else "EXPIRED"
            case "8":
                return None if self.status == "REJECTED" else "REJECTED"
            case "5":
                modifies = self.change is not None and self.change.kind == "MODIFY"
                return "REPLACED" if answers and modifies else None
            case "9":
                cancels = self.change is not None and self.change.kind == "CANCEL"
                never_came = unknown and cancels and not self.acknowledged
                ended = "CANCELLED" if never_came else "CHANGE_REFUSED"
                return ended if answers else None
        raise ValueError(exec_type)

    def can(self, happening: str, quantity: int) -> bool:
        """Whether it can happen to an order in this state."""
        if not self.sent:  # the venue never heard of it
            return False
        if happening == "FILL":
            # More than was ordered is a fact too.
            late = self.status in {"CANCELLED", "EXPIRED", "FILLED"}
            return (self.working or late) and quantity > 0
        if happening == "ACKNOWLEDGED":
            return self.status not in {"DENIED", "REJECTED"}
        if happening == "REJECTED":
            return self.status in {"PENDING", "OPEN"}
        return happening == "CHANGE_REFUSED" or self.working

    def fill(self, quantity: int, value: int) -> int:
        """Trades. Returns this fill's charges: those on all it has traded, less those booked."""
        self.filled += quantity
        self.value += value
        whole = charges(self.product, self.side, self.value)
        charge, self.charged = whole - self.charged, whole
        if self.filled >= self.quantity:
            self.status = "FILLED"
        elif self.working:
            self.status = "PARTIALLY_FILLED"
        self._told()
        return charge

    def take(self, happening: str) -> str:
        """Takes note of a report without money. Returns the kind of its event."""
        if happening == "CHANGE_REFUSED":
            self.change = None
        elif happening == "REPLACED":
            assert self.change is not None
            self.quantity, self.price = max(self.change.quantity, self.filled), self.change.price
            self.change = self.cut = None
            if self.quantity == self.filled:
                self.status = "FILLED"
            elif self.status == "PENDING":
                self.status = "OPEN"
        elif happening == "ACKNOWLEDGED":
            self.status = "OPEN" if self.status == "PENDING" else self.status
        else:
            self.status = happening
        self._told()
        if self.cancel_waits and self.change is None and self.working:
            self.cancel_waits = False
            self.ask("CANCEL", 0, 0)
        return happening if happening == "CHANGE_REFUSED" else f"ORDER_{happening}"

    def _told(self) -> None:
        """The venue has spoken of it; an order that has ended has no change in flight."""
        self.acknowledged = True
        if not self.working:
            self.change, self.cancel_waits = None, False


@dataclass
class Position:
    """One symbol's intraday day. `worth`: what the open quantity was entered at."""

    net: int = 0
    worth: int = 0
    realised: int = 0
    traded: bool = False

    def fill(self, side: str, quantity: int, value: int) -> int:
        """What closes is realised against the average it was entered at; what is beyond opens the
        other side. Returns what this fill realised."""
        direction = 1 if side == "BUY" else -1
        closing = min(quantity, max(0, -direction * self.net))
        entry = half_up(Fraction(self.worth * closing, abs(self.net))) if closing else 0
        leaving = half_up(Fraction(value * closing, quantity))
        self.worth += value - leaving - entry
        self.net += direction * quantity
        gain = direction * (entry - leaving)
        self.realised += gain
        self.traded = True
        return gain
