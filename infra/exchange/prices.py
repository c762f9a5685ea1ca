"""Prices as integers in 1/10,000 rupee, and their decimal text in FIX price tags.

Invariant: text and integer convert exactly in both directions; a text that is no exact multiple of
1/10,000 is refused, never rounded. No float is involved.
"""

import re

SCALE = 10_000
_DECIMAL = re.compile(r"(-?)(\d{1,12})(?:\.(\d{0,8}))?", re.ASCII)


def parse_price(text: str) -> int:
    """Return a FIX price (tag 44, 270, ...) in 1/10,000 rupee; ValueError if it is not one."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a decimal price")
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    if fraction[4:].strip("0"):
        raise ValueError(f"{text!r} has more than four decimal places")
    value = int(whole) * SCALE + int(fraction[:4].ljust(4, "0"))
    return -value if sign else value


def format_price(price: int) -> str:
    """Return the shortest text with at least the two decimal places of the paisa."""
    sign = "-" if price < 0 else ""
    whole, fraction = divmod(abs(price), SCALE)
    if fraction % 100 == 0:
        return f"{sign}{whole}.{fraction // 100:02d}"
    return f"{sign}{whole}.{fraction:04d}"


def average_price(value: int, quantity: int) -> int:
    """Return `value` (sum of price x quantity) per share, rounded half up; 0 for no quantity.

    AvgPx(6) is information only: money is settled from LastPx(31) x LastQty(32) of each trade.
    """
    return (2 * value + quantity) // (2 * quantity) if quantity else 0
