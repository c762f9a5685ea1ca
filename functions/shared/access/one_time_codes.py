"""Time-based one-time codes (RFC 6238): six digits, thirty seconds, HMAC-SHA-1.

Invariant: a code counts for its own step and the one after it (network delay, section 5.2), never
ahead of time; the caller then asks the database to use up the step, so it counts once.
"""

from datetime import datetime
from typing import Final

import pyotp

STEP_SECONDS: Final = 30
DIGITS: Final = 6


def new_secret() -> str:
    """A fresh 160-bit secret in base 32, as authenticator programs take it."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code this is: the current one or the one before; None for any other code."""
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    current = int(now.timestamp()) // STEP_SECONDS
    for step in (current, current - 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            return step
    return None
