"""The bank's rules: a reference names one payment for ever, whatever is asked and how often.

Invariant: two requests with one reference move money once; the second is told how the first
stands. Another direction, account or amount under a known reference is refused.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from infra.bank.behaviour import Behaviour, Orders
from infra.bank.customers import Customers
from infra.bank.payments import DONE, OUT, REFUSED, Journal, Payment

PAGE = 1_000
_LOST_MOST = 10_000
_NANOSECONDS = 1_000_000_000


class ReferenceReused(Exception):
    """The reference names another payment."""


class Away(Exception):
    """The bank takes nothing now."""


class Unheard(Exception):
    """The request was lost on its way: nothing was done, and nobody will answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment somebody asks for. `direction`: IN or OUT; `amount` in paise."""

    reference: str
    direction: str
    account: str
    amount: int


class Bank:
    """Every payment by reference. Safe for many threads."""

    def __init__(
        self,
        journal: Journal,
        customers: Customers,
        orders: Orders,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._journal = journal
        self._customers = customers
        self._payments = journal.recovered
        self._orders = orders
        self._clock = clock
        self._lost: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, orders: Orders) -> None:
        """From now on behave like this."""
        with self._lock:
            self._orders = orders

    def told(self) -> Orders:
        """What it was told."""
        with self._lock:
            return Orders(self._orders.behaviour, self._orders.times, self._orders.seconds)

    def pay(self, asked: Asked) -> tuple[Payment, Behaviour, float]:
        """The payment, how its answer is to be given, and the seconds that a slow one takes.

        Raises ReferenceReused, Away, Unheard, and JournalError when it can't be kept.
        """
        with self._lock:
            if self._orders.now() is Behaviour.AWAY:
                self._orders.take(asked.amount)
                raise Away
            known = self._payments.get(asked.reference)
            if known is not None:
                if (known.direction, known.account, known.amount) != (
                    asked.direction,
                    asked.account,
                    asked.amount,
                ):
                    raise ReferenceReused
                return known, Behaviour.NORMAL, 0.0
            behaviour = self._orders.take(asked.amount)
            if behaviour is Behaviour.LOST and self._lose(asked.reference):
                raise Unheard
            payment = self._decide(asked, behaviour)
            self._journal.append(payment)
            self._payments[payment.reference] = payment
            return payment, behaviour, self._orders.seconds

    def register(self, customer: str, number: str, ifsc: str) -> None:
        """Money out to the customer goes to that account from now on. Raises JournalError."""
        self._customers.register(customer, number, ifsc)

    def find(self, reference: str) -> Payment | None:
        """The payment of that reference, if it was ever taken."""
        with self._lock:
            return self._payments.get(reference)

    def page(self, after: int) -> tuple[list[Payment], int | None]:
        """Payments after the first `after`, oldest first, and where the next page begins."""
        with self._lock:
            found: Iterator[Payment] = islice(self._payments.values(), after, after + PAGE + 1)
            rows = list(found)
        return rows[:PAGE], after + PAGE if len(rows) > PAGE else None

    def now(self) -> int:
        """Nanoseconds since 1970, by the bank's clock."""
        return self._clock()

    def _lose(self, reference: str) -> bool:
        """True when this request is to be lost; the second one of a reference is not."""
        if reference in self._lost:
            self._lost.discard(reference)
            return False
        if len(self._lost) >= _LOST_MOST:
            self._lost.clear()
        self._lost.add(reference)
        return True

    def _decide(self, asked: Asked, behaviour: Behaviour) -> Payment:
        now = self._clock()
        refused = behaviour in {Behaviour.REFUSE, Behaviour.LATER_REFUSE}
        later = behaviour in {Behaviour.LATER, Behaviour.LATER_REFUSE}
        wait = int(self._orders.seconds * _NANOSECONDS) if later else 0
        return Payment(
            reference=asked.reference,
            direction=asked.direction,
            account=asked.account,
            amount=asked.amount,
            outcome=REFUSED if refused else DONE,
            reason="ACCOUNT_REFUSED" if refused else "",
            at=now,
            decided_at=now + wait,
            to=self._customers.account_of(asked.account) if asked.direction == OUT else "",
        )
