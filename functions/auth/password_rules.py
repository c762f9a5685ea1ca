"""Which passwords nobody may choose: the most used ones, and what the login itself says.

Invariant: length and what everyone uses are all that is asked; no rule of composition (ASVS 5.0,
6.2.5). The list (6.2.12) is the 5,000 most used of 8 and more characters in zxcvbn 4.5.0's
frequency list (MIT), each as the first 12 hex digits of its SHA-256 in lower case: 48 bits, by
which no other password is refused but by an accident of one in fifty thousand million.
"""

import functools
import hashlib
import unicodedata
from pathlib import Path
from typing import Final

from functions.shared.access.passwords import CHARACTERS_MAX, CHARACTERS_MIN
from functions.shared.domain.errors import Refused

_LIST: Final = Path(__file__).with_name("common_passwords.txt")
_DIGITS: Final = 12


def require_good_password(password: str, username: str) -> None:
    """Raises Refused 422 PASSWORD_TOO_WEAK for one that an attacker tries first."""
    normal = unicodedata.normalize("NFKC", password).lower()
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        limits = f"{CHARACTERS_MIN} to {CHARACTERS_MAX}"
        raise Refused(422, "PASSWORD_TOO_WEAK", f"a password has {limits} characters")
    if username.lower() in normal:
        raise Refused(422, "PASSWORD_TOO_WEAK", "the password must not hold the user name")
    if hashlib.sha256(normal.encode()).hexdigest()[:_DIGITS] in _most_used():
        raise Refused(422, "PASSWORD_TOO_WEAK", "the password is one of those used most")


@functools.cache
def _most_used() -> frozenset[str]:
    return frozenset(_LIST.read_text("ascii").split())
