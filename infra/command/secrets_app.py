"""`outcry secrets`: changing the keys of this machine's stack, as on AWS its function does.

Flow: the four steps one after the other, on the stack's files. Nobody is logged out: what the old
key signed counts until it expires, and each verifier reads the new key when it first meets it.
"""

import uuid
from typing import Literal

import cyclopts

from functions.rotation.rotate_signing_key import STEPS
from functions.shared.domain.errors import NotFound, Retryable
from functions.shared.stores.secret_versions import FileVersions
from infra.command.exits import DONE, REFUSED, Failure
from infra.command.place import home

secrets_app = cyclopts.App(name="secrets", help="The keys of the stack on this machine.")


@secrets_app.command
def rotate(name: Literal["token-signing-key"]) -> int:
    """Change a key while the stack runs or is down. Nobody is logged out.

    Args:
        name: the key that signs access tokens
    """
    versions, version = FileVersions(home().secrets), str(uuid.uuid4())
    try:
        for step in STEPS.values():
            step(versions, version)
    except NotFound as error:
        raise Failure(f"{error}; start the stack once: outcry up", REFUSED) from None
    except Retryable as error:
        raise Failure(str(error), REFUSED) from None
    print(f"{name} is another one from now on")
    return DONE
