"""Encryption of what identifies a person: AES-256-GCM under a key of their own.

Invariant: a person's key is stored only wrapped under the secret `identity-key`, and every
ciphertext is bound to its user and its field, so a row can't be moved to another. Erasing a person
is erasing the wrapped key.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from functions.shared.domain.errors import InvariantViolated

_NONCE_BYTES: Final = 12
_KEY_FIELD: Final = "key"


class PersonalKey:
    """One person's key, in the clear in memory for as long as a request needs it."""

    def __init__(self, user_id: int, key: bytes) -> None:
        self._user_id = user_id
        self._key = key

    @classmethod
    def new(cls, user_id: int) -> "PersonalKey":
        return cls(user_id, AESGCM.generate_key(256))

    @classmethod
    def unwrap(cls, user_id: int, wrapped: bytes, identity_key: bytes) -> "PersonalKey":
        """Raises InvariantViolated when the row and the identity key don't belong together."""
        return cls(user_id, _open(identity_key, wrapped, _bound(user_id, _KEY_FIELD)))

    def wrap(self, identity_key: bytes) -> bytes:
        return _seal(identity_key, self._key, _bound(self._user_id, _KEY_FIELD))

    def encrypt(self, field: str, text: str) -> bytes:
        return _seal(self._key, text.encode(), _bound(self._user_id, field))

    def decrypt(self, field: str, sealed: bytes) -> str:
        """Raises InvariantViolated for what wasn't sealed as that user's field."""
        return _open(self._key, sealed, _bound(self._user_id, field)).decode()


def _seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise InvariantViolated("personal data can't be read with the key at hand") from None


def _bound(user_id: int, field: str) -> bytes:
    return f"{user_id}:{field}".encode()
