"""Counts of values, each within a thousandth of what it was, however many and however large.

The layout is HdrHistogram's at three significant digits: values below 2,048 have a counter each,
and each doubling above it shares 1,024 counters. So recording is one addition, and the far end of
the distribution is as exact as its middle.

Invariant: a value above MOST counts as MOST, so that none is left out.
"""

import math
import operator
from bisect import bisect_left
from itertools import accumulate
from typing import Self

#: Two minutes, in microseconds.
MOST = 120_000_000
_HALF_BITS = 10
_HALF = 1 << _HALF_BITS
_WHOLE_BITS = _HALF_BITS + 1
_EXACT = (1 << _WHOLE_BITS) - 1


class Histogram:
    """Values are whole numbers of whatever unit, from 0 up."""

    def __init__(self) -> None:
        self._counts = [0] * (_index(MOST) + 1)
        self.total = 0
        self.greatest = 0

    def record(self, value: int, times: int = 1) -> None:
        """Counts a value; one below nothing (two clocks) counts as nothing."""
        value = min(max(value, 0), MOST)
        self._counts[_index(value)] += times
        self.total += times
        self.greatest = max(self.greatest, value)

    def add(self, other: Self) -> None:
        """Counts all that another one counted."""
        self._counts = list(map(operator.add, self._counts, other._counts))
        self.total += other.total
        self.greatest = max(self.greatest, other.greatest)

    def percentile(self, percent: float) -> int:
        """The value that so many percent of all are no greater than; 0 of none at all."""
        if not self.total:
            return 0
        rank = max(1, math.ceil(self.total * percent / 100))
        index = bisect_left(list(accumulate(self._counts)), rank)
        return min(_greatest_at(index), self.greatest)


def _index(value: int) -> int:
    shift = (value | _EXACT).bit_length() - _WHOLE_BITS
    return (shift << _HALF_BITS) + (value >> shift)


def _greatest_at(index: int) -> int:
    """The greatest value that is counted there."""
    shift = max(0, (index >> _HALF_BITS) - 1)
    return ((index - (shift << _HALF_BITS) + 1) << shift) - 1
