"""The keys of access: one signs tokens, one wraps each person's own key. Both are secrets.

Invariant: a key is made once, at the first start, and never leaves the secrets store but to the
process that uses it; a token's `kid` is the thumbprint of its public key (RFC 7638).
"""

import base64
import contextlib
import os
from typing import Final

import msgspec
from joserfc.jwk import OKPKey

from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound
from functions.shared.stores.secrets import Secrets

TOKEN_KEY: Final = "token-key"  # noqa: S105  the name of a secret, not its value
IDENTITY_KEY: Final = "identity-key"
IDENTITY_KEY_BYTES: Final = 32


class _TokenKey(msgspec.Struct, frozen=True):
    """The secret `token-key`: both halves of an Ed25519 key as PEM."""

    private: str
    public: str


def make_keys(secrets: Secrets) -> None:
    """Makes whichever key is missing; of two callers at once, one key wins for both."""
    for name, make in ((TOKEN_KEY, _new_token_key), (IDENTITY_KEY, _new_identity_key)):
        try:
            secrets.get(name)
        except NotFound:
            with contextlib.suppress(Conflict):  # someone else just made it
                secrets.put_new(name, make())


def signing_key(secrets: Secrets) -> OKPKey:
    """The private key that signs access tokens. Raises NotFound before `make_keys`."""
    return _with_kid(_token_key(secrets).private)


def verifying_key(secrets: Secrets) -> OKPKey:
    """The public key that checks access tokens. Raises NotFound before `make_keys`."""
    return _with_kid(_token_key(secrets).public)


def identity_key(secrets: Secrets) -> bytes:
    """The 32 bytes that wrap each person's key. Raises NotFound before `make_keys`."""
    key = base64.b64decode(secrets.get(IDENTITY_KEY))
    if len(key) != IDENTITY_KEY_BYTES:
        raise InvariantViolated("the secret identity-key is not 32 bytes")
    return key


def _token_key(secrets: Secrets) -> _TokenKey:
    try:
        return msgspec.json.decode(secrets.get(TOKEN_KEY), type=_TokenKey)
    except msgspec.MsgspecError:
        raise InvariantViolated("the secret token-key is not a pair of PEM keys") from None


def _with_kid(pem: str) -> OKPKey:
    return OKPKey.import_key(pem, {"kid": OKPKey.import_key(pem).thumbprint()})


def _new_token_key() -> str:
    key = OKPKey.generate_key("Ed25519")
    pair = _TokenKey(
        private=key.as_pem(private=True).decode(), public=key.as_pem(private=False).decode()
    )
    return msgspec.json.encode(pair).decode()


def _new_identity_key() -> str:
    return base64.b64encode(os.urandom(IDENTITY_KEY_BYTES)).decode()
