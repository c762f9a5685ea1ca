"""Passwords: argon2id, at the cost the OWASP ASVS 5.0 (appendix C) names for 19 MiB.

Invariant: a wrong user name takes as long as a wrong password, because a hash is always checked.
An invocation checks one at a time, so a storm of logins holds 19 MiB a process and no more.
"""

import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from functions.shared.domain.errors import InvariantViolated, Refused

CHARACTERS_MIN: Final = 8
CHARACTERS_MAX: Final = 128

_HASHER: Final = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
#: The hash of no password that anyone can send (it is longer than allowed), at the same cost.
_NOBODY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$XgIcqD/OUfXRZ/Sswy8uIQ"
    "$SAQcavfTn2C6AGv3PMcp0JL7NU2XdNfSHQRI/WuWTFU"
)


def hash_password(password: str) -> str:
    """The hash to store. Raises Refused 400 for fewer than 8 or more than 128 characters."""
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise Refused(
            400,
            "INVALID_REQUEST",
            f"a password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters",
        )
    return _HASHER.hash(_normal(password))


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password is the one; always false, as slowly, for a user that isn't there."""
    try:
        _HASHER.verify(stored or _NOBODY, _normal(password))
    except VerifyMismatchError:
        return False
    except InvalidHashError:
        raise InvariantViolated("a stored password hash is not argon2id") from None
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made at another cost than today's."""
    return _HASHER.check_needs_rehash(stored)


def _normal(password: str) -> str:
    """The same characters typed on different keyboards are the same password (NIST 800-63B)."""
    return unicodedata.normalize("NFKC", password)
