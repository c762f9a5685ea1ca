"""Money, prices and quantities as integers, and their one exact text form.

Invariant: an amount is whole paise, a price whole ten-thousandths of a rupee, a quantity whole
shares. No float takes part; a value that doesn't fit is refused, never rounded in silence.
"""

import re
from typing import Final

PAISE_PER_RUPEE: Final = 100
PRICE_UNITS_PER_RUPEE: Final = 10_000
PRICE_UNITS_PER_PAISA: Final = PRICE_UNITS_PER_RUPEE // PAISE_PER_RUPEE

_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_DIGITS_MAX: Final = 18
_HUNDREDTHS: Final = tuple(f".{part:02d}" for part in range(PAISE_PER_RUPEE))


class NotADecimal(ValueError):
    """The text is not a plain decimal of at most 18 ASCII digits and the allowed decimals."""


def parse_decimal(text: str, decimals: int) -> int:
    """`"2950.5"` with 2 decimals is 295050. Raises NotADecimal for anything but a plain decimal.

    No exponent, sign other than minus, blanks, NaN, or digits beyond `decimals` (even zeros past
    them are refused only when they carry value).
    """
    match = _DECIMAL.fullmatch(text)
    if match is None or len(match[1]) + len(match[2] or "") > _DIGITS_MAX:
        raise NotADecimal(f"{text[:40]!r} is not a plain decimal of at most {_DIGITS_MAX} digits")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        raise NotADecimal(f"{text!r} has more than {decimals} decimals")
    scale: int = 10**decimals
    magnitude = int(match[1]) * scale + int(fraction.ljust(decimals, "0") or "0")
    return -magnitude if text.startswith("-") else magnitude


def format_decimal(value: int, decimals: int) -> str:
    """The inverse of `parse_decimal`: 295050 with 2 decimals is `"2950.50"`."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}" if decimals else f"{sign}{whole}"


def format_amount(paise: int) -> str:
    """Paise as rupees with 2 decimals: `"1000000.00"`."""
    if paise < 0:
        return f"-{format_amount(-paise)}"
    return f"{paise // PAISE_PER_RUPEE}{_HUNDREDTHS[paise % PAISE_PER_RUPEE]}"


def format_price(price: int) -> str:
    """A price of an NSE cash instrument (ten-thousandths of a rupee) with its 2 decimals."""
    paise, rest = divmod(price, PRICE_UNITS_PER_PAISA)
    return format_decimal(price, 4) if rest else format_amount(paise)


def parse_price(text: str) -> int:
    """A price in rupees as ten-thousandths. Raises NotADecimal."""
    return parse_decimal(text, 4)


def value_of(quantity: int, price: int) -> int:
    """The value in paise of shares at a price, rounded half up (exact for whole-paisa ticks)."""
    return divide_half_up(quantity * price, PRICE_UNITS_PER_PAISA)


def divide_half_up(numerator: int, denominator: int) -> int:
    """Integer division rounding half away from zero, as contract notes do."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))
