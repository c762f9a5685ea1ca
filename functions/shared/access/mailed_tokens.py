"""Tokens that prove that somebody reads a mail address: 256 bits, stored as a digest, used once."""

import hashlib
import secrets as entropy
from datetime import timedelta
from typing import Final

CONFIRM_LIFETIME: Final = timedelta(hours=24)
RESET_LIFETIME: Final = timedelta(minutes=15)
_BYTES: Final = 32


def new_token() -> str:
    """As it stands in the mail."""
    return entropy.token_urlsafe(_BYTES)


def token_digest(token: str) -> bytes:
    """As it is stored."""
    return hashlib.sha256(token.encode()).digest()
