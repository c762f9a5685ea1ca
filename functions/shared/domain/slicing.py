"""The arithmetic of orders in slices: how much is due when, in whole lots, to the last share.

Invariant: the parts of a quantity add up to it exactly, each a number of whole lots, and two parts
of equal weight differ by one lot at most. Nothing here knows an account, a price or a clock.

Sources: largest remainders (Hamilton's method) for the parts; a slice at the start of each interval
and none at the end, as brokers' TWAP orders are described.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta


def apportion(quantity: int, weights: Sequence[int], lot: int) -> list[int]:
    """The quantity in whole lots by weight, largest remainders first and of equal ones the
    earliest. Raises ValueError when the quantity is no number of lots, or no weight is above 0."""
    whole = sum(weights)
    if quantity % lot or whole <= 0 or min(weights) < 0:
        raise ValueError(f"{quantity} in lots of {lot} can't be shared by {list(weights)[:5]}")
    lots = quantity // lot
    parts = [lots * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda place: (-(lots * weights[place] % whole), place)
    )
    for place in by_remainder[: lots - sum(parts)]:
        parts[place] += 1
    return [part * lot for part in parts]


def equal_parts(quantity: int, parts: int, lot: int) -> list[int]:
    """The quantity in that many parts, the larger ones first. Raises as `apportion`."""
    return apportion(quantity, [1] * parts, lot)


def slice_times(starts_at: datetime, ends_at: datetime, interval: timedelta) -> list[datetime]:
    """The start of each interval of the window, and not its end."""
    count = -(-(ends_at - starts_at) // interval)
    return [starts_at + interval * number for number in range(count)]


def timed_quantity(left: int, planned: int, ahead: Sequence[int], unfilled: int, lot: int) -> int:
    """What a slice should trade that is due now. `left`: what the plan has not traded; `planned`:
    the slice's own part; `ahead`: the parts of those behind it; `unfilled`: what the slice before
    was placed for and did not trade, which this one takes over whole. What was missed (nothing
    could be placed while trading was halted, or nobody came) is spread over this one and those
    behind it, so that no burst follows a halt. The last slice is what is left; no slice is more."""
    missed = max(0, left - planned - sum(ahead) - unfilled) // lot * lot
    share = equal_parts(missed, 1 + len(ahead), lot)[0]
    wanted = planned + unfilled + share if ahead else left
    return max(0, min(wanted, left)) // lot * lot


def volume_quantity(
    quantity: int, filled: int, traded: int, expected: int, ahead: int, participation: int, lot: int
) -> int:
    """What a slice should trade that goes by the market's volume. `traded`: what the market has
    traded since the plan began; `expected` until the next slice and `ahead` from there to the end
    of the window, by the curve. The target is the plan's quantity times the share of the window's
    volume that will have passed by the next slice, with what has been traded in the place of what
    the curve expected of it. No more than `participation` per cent of that volume is ever traded;
    what such a cap leaves at the end stays left."""
    passed = traded + expected
    target = quantity * passed // (passed + ahead) if ahead and passed else quantity
    most = passed * participation // 100
    return max(0, min(target, most, quantity) - filled) // lot * lot
