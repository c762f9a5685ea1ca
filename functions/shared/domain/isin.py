"""ISIN, the number of a security: ISO 6166, its check digit by annex C.

Invariant: a number with one wrong digit is none.
"""

import re
from typing import Final

_SHAPE: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]", re.ASCII)


def check_digit(first_eleven: str) -> int:
    """The last digit of an ISIN, from what stands before it. Letters count as 10 to 35; every
    second digit from the right is doubled, and the sum of all digits is filled up to a ten."""
    digits = "".join(str(int(letter, 36)) for letter in first_eleven)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return -total % 10


def is_isin(text: str) -> bool:
    """Whether it has an ISIN's shape and its last digit is right."""
    return _SHAPE.fullmatch(text) is not None and check_digit(text[:11]) == int(text[11])
