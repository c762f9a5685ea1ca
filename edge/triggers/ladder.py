"""One symbol's triggers on one side, in the order in which a moving price reaches them.

Invariant: what a price reaches leaves at once and in order: the nearest trigger first, of equal
ones the older order. A price that reaches nothing costs one comparison with `next`.

A trigger is one integer, its distance above the order's number, in a sorted list whose end is
reached first: a crossing cuts the end off, whatever lies behind it stays untouched.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

_BITS: Final = 63
_MASK: Final = (1 << _BITS) - 1
#: Above every price; a rising price reaches the lowest trigger first, so those count down from it.
_TOP: Final = 1 << 62


class Ladder:
    """Triggers by (price, order number). `rising`: reached by prices at or above them."""

    __slots__ = ("_keys", "next", "rising")

    def __init__(self, *, rising: bool, triggers: Iterable[tuple[int, int]] = ()) -> None:
        self.rising = rising
        self._keys = sorted(self._key(trigger, order) for trigger, order in triggers)
        self._look()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, trigger: int, order_id: int) -> None:
        insort(self._keys, self._key(trigger, order_id))
        self._look()

    def remove(self, trigger: int, order_id: int) -> None:
        """Harmless when it isn't there any more."""
        key = self._key(trigger, order_id)
        at = bisect_left(self._keys, key)
        if at < len(self._keys) and self._keys[at] == key:
            del self._keys[at]
            self._look()

    def reached_by(self, price: int) -> bool:
        return price >= self.next if self.rising else price <= self.next

    def take(self, price: int) -> list[int]:
        """The orders whose trigger the price reaches, in order; they are here no more."""
        cut = bisect_left(self._keys, self._rank(price) << _BITS)
        taken = self._keys[cut:]
        del self._keys[cut:]
        self._look()
        return [_MASK - (key & _MASK) for key in reversed(taken)]

    def _rank(self, price: int) -> int:
        return _TOP - price if self.rising else price

    def _key(self, trigger: int, order_id: int) -> int:
        return self._rank(trigger) << _BITS | (_MASK - order_id)

    def _look(self) -> None:
        """The trigger that is reached next; without one, a price that none reaches."""
        if self._keys:
            rank = self._keys[-1] >> _BITS
            self.next = _TOP - rank if self.rising else rank
        else:
            self.next = _TOP if self.rising else -1
