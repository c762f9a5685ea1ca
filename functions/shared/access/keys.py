"""The keys: one signs tokens, one anchors, each with its public half; one wraps each person's
key, one hides user names from other regions.

Invariant: a key is made once, at the first start, and never leaves the secrets store but to the
process that uses it. The two halves are secrets apart, so that who may check tokens can't make
them. A token's `kid` is the thumbprint of its public key (RFC 7638).
"""

import base64
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound
from functions.shared.stores.secrets import Secrets

SIGNING_KEY: Final = "token-signing-key"
VERIFYING_KEY: Final = "token-verifying-key"
ANCHOR_SIGNING_KEY: Final = "anchor-signing-key"
ANCHOR_VERIFYING_KEY: Final = "anchor-verifying-key"
IDENTITY_KEY: Final = "identity-key"
DIRECTORY_KEY: Final = "directory-key"
IDENTITY_KEY_BYTES: Final = 32
_PEM_END: Final = "-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class AnchorKey:
    """Signs the ledger's anchors (Ed25519). `public`: the 32 bytes that check them."""

    public: bytes
    sign: Callable[[bytes], bytes]


def make_keys(secrets: Secrets) -> None:
    """Makes whichever key is missing; of two callers at once, one key wins for both."""
    _make(secrets, IDENTITY_KEY, _new_secret_key)
    _make(secrets, DIRECTORY_KEY, _new_secret_key)
    _make(secrets, SIGNING_KEY, new_signing_key)
    _make(secrets, VERIFYING_KEY, lambda: _public_half(secrets, SIGNING_KEY))
    _make(secrets, ANCHOR_SIGNING_KEY, new_signing_key)
    _make(secrets, ANCHOR_VERIFYING_KEY, lambda: _public_half(secrets, ANCHOR_SIGNING_KEY))


def signing_key(secrets: Secrets) -> OKPKey:
    """The private key that signs access tokens. Raises NotFound before `make_keys`."""
    return _with_kid(secrets, SIGNING_KEY)


def verifying_keys(secrets: Secrets) -> list[OKPKey]:
    """The public keys that check access tokens as they are now, the newest first: of the key that
    signs, of one before it whose tokens may still be out, of one that is about to sign. Raises
    NotFound before `make_keys`."""
    return read_verifying_keys(secrets.current(VERIFYING_KEY))


def read_verifying_keys(text: str) -> list[OKPKey]:
    """PEM blocks, one behind the other. Raises InvariantViolated for anything else."""
    keys = [
        named_key(block + _PEM_END, VERIFYING_KEY)
        for block in text.split(_PEM_END)
        if block.strip()
    ]
    if not keys or any(key.is_private for key in keys):
        raise InvariantViolated("the secret token-verifying-key is no list of public keys")
    return keys


def anchor_key(secrets: Secrets) -> AnchorKey:
    """The key that signs anchors. Raises NotFound before `make_keys`."""
    private = _with_kid(secrets, ANCHOR_SIGNING_KEY).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise InvariantViolated("the secret anchor-signing-key is no private Ed25519 key")
    return AnchorKey(private.public_key().public_bytes_raw(), private.sign)


def identity_key(secrets: Secrets) -> bytes:
    """The 32 bytes that wrap each person's key. Raises NotFound before `make_keys`."""
    key = base64.b64decode(secrets.get(IDENTITY_KEY))
    if len(key) != IDENTITY_KEY_BYTES:
        raise InvariantViolated("the secret identity-key is not 32 bytes")
    return key


def directory_key(secrets: Secrets) -> bytes:
    """The key of the regions' directory of user names. Raises NotFound before `make_keys`.

    It is one key for all regions: a second region is given the first one's before its start.
    """
    return base64.b64decode(secrets.get(DIRECTORY_KEY))


def _make(secrets: Secrets, name: str, new: Callable[[], str]) -> None:
    try:
        secrets.get(name)
    except NotFound:
        with contextlib.suppress(Conflict):  # someone else just made it
            secrets.put_new(name, new())


def _with_kid(secrets: Secrets, name: str) -> OKPKey:
    return named_key(secrets.get(name), name)


def named_key(pem: str, name: str) -> OKPKey:
    """A key of the secret of that name, with its `kid`. Raises InvariantViolated for another text,
    without showing it."""
    try:
        return OKPKey.import_key(pem, {"kid": OKPKey.import_key(pem).thumbprint()})
    except (JoseError, ValueError):
        raise InvariantViolated(f"the secret {name} is not an Ed25519 key as PEM") from None


def _public_half(secrets: Secrets, name: str) -> str:
    return _with_kid(secrets, name).as_pem(private=False).decode()


def new_signing_key() -> str:
    """A fresh Ed25519 private key as PEM."""
    return OKPKey.generate_key("Ed25519").as_pem(private=True).decode()


def _new_secret_key() -> str:
    return base64.b64encode(os.urandom(IDENTITY_KEY_BYTES)).decode()
