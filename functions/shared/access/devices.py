"""Device tokens: by which a device that logged in before is told from a stranger's.

Invariant: a token is 256 random bits, told once, stored as its digest and bound to one account; it
opens nothing. It gives its bearer a bucket of guesses of their own (OWASP, "Slow down online
guessing attacks with device cookies"), so that strangers' guesses can't lock the owner out.
"""

import hashlib
import secrets as entropy
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

#: RFC 6265bis, 4.1.3: a browser takes it over TLS alone. Path: nothing but signing in is sent it.
COOKIE: Final = "__Secure-outcry_device"
TOKEN_CHARACTERS_MAX: Final = 64
_BYTES: Final = 32
_LIFE: Final = timedelta(days=180)  # as identity.knows_device counts


def new_device_token() -> str:
    return entropy.token_urlsafe(_BYTES)


def device_digest(token: str) -> bytes:
    """What is stored of a device token."""
    return hashlib.sha256(token.encode()).digest()


def device_cookie(token: str) -> str:
    """Set-Cookie for a browser that came over TLS."""
    age = int(_LIFE.total_seconds())
    return f"{COOKIE}={token}; Max-Age={age}; Path=/v1/auth; Secure; HttpOnly; SameSite=Strict"


def token_of_cookies(headers: Sequence[str]) -> str | None:
    """The device token among a request's Cookie headers."""
    for header in headers:
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE and 0 < len(value) <= TOKEN_CHARACTERS_MAX:
                return value
    return None
