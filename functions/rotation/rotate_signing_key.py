"""The key that signs access tokens is changed without anybody noticing.

Flow, in the four steps of Secrets Manager: make a key and put it by -> put its public half before
those that tokens are checked by -> sign and check a token with it -> let it sign. Invariant: a key
signs only after its public half can be read by every verifier (which reads the list again for a
token of a key it doesn't know), and the key before it checks tokens for longer than they live.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Final

from joserfc.jwk import OKPKey

from functions.shared.access.keyring import Keyring
from functions.shared.access.keys import (
    SIGNING_KEY,
    VERIFYING_KEY,
    named_key,
    new_signing_key,
    read_verifying_keys,
)
from functions.shared.access.tokens import issue_token, read_token
from functions.shared.clock import wall_now
from functions.shared.domain.errors import InvariantViolated
from functions.shared.stores.secret_versions import SecretVersions

#: The newest, the one that signs, and the one before: whoever still signs with it is heard.
_KEYS_KEPT: Final = 3


def create(versions: SecretVersions, version: str) -> None:
    """Puts a fresh key by, unless this version has one."""
    if versions.version(SIGNING_KEY, version) is None:
        versions.put_by(SIGNING_KEY, version, new_signing_key())


def publish(versions: SecretVersions, version: str) -> None:
    """Puts its public half before the others."""
    made = _put_by(versions, version)
    known = read_verifying_keys(versions.current(VERIFYING_KEY))
    if made.kid not in {key.kid for key in known}:
        kept = [made, *known][:_KEYS_KEPT]
        text = "".join(key.as_pem(private=False).decode() for key in kept)
        versions.replace(VERIFYING_KEY, text)


def try_out(versions: SecretVersions, version: str) -> None:
    """Raises InvariantViolated when a token that it signs would not be taken."""
    now, made = wall_now(), _put_by(versions, version)
    token = issue_token(
        made, user_id=0, session_id=str(uuid.uuid4()), roles=(), mode="PAPER", region="NONE",
        scopes=(), kind="PERSON", now=now,
    )  # fmt: skip
    ring = Keyring(lambda: read_verifying_keys(versions.current(VERIFYING_KEY)))
    key = ring.key_of(token)
    if key is None:
        raise InvariantViolated("the key that is to sign is not among those that check")
    read_token(token, key, now)


def finish(versions: SecretVersions, version: str) -> None:
    """From now on it signs."""
    versions.promote(SIGNING_KEY, version)


#: By Secrets Manager's names, in their order.
STEPS: Final[Mapping[str, Callable[[SecretVersions, str], None]]] = {
    "createSecret": create,
    "setSecret": publish,
    "testSecret": try_out,
    "finishSecret": finish,
}


def _put_by(versions: SecretVersions, version: str) -> OKPKey:
    pem = versions.version(SIGNING_KEY, version)
    if pem is None:
        raise InvariantViolated("no key was put by under this version")
    return named_key(pem, SIGNING_KEY)
