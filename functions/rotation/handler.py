"""Secrets Manager's rotation function: one step of one secret's rotation a call.

Invariant: it changes the one secret that it knows how to change; a step that fails is called again
by Secrets Manager, and until `finishSecret` nothing has changed for anybody.
"""

import re
from typing import Any, Final

from functions.rotation.rotate_signing_key import STEPS
from functions.shared.access.keys import SIGNING_KEY
from functions.shared.domain.errors import InvariantViolated
from functions.shared.runtime.logs import logger
from functions.shared.settings import Settings
from functions.shared.stores.secret_versions import open_versions

#: An ARN ends with the name and six characters of Secrets Manager's own.
_SECRET: Final = re.compile(rf"(.*:secret:)?outcry/{SIGNING_KEY}(-[A-Za-z0-9]{{6}})?")


class RotationSettings(Settings, frozen=True, kw_only=True):
    """`secrets_url`: the store whose secret is rotated."""

    secrets_url: str


def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """`Step`, `SecretId` and `ClientRequestToken` (the version). Raises InvariantViolated for a
    step or a secret that is not known here, Retryable when the store is out of reach."""
    step = STEPS.get(event["Step"])
    if step is None or _SECRET.fullmatch(event["SecretId"]) is None:
        raise InvariantViolated("no such step, or a secret that is not rotated here")
    step(
        open_versions(RotationSettings.from_environment().secrets_url), event["ClientRequestToken"]
    )
    logger().info("rotated", step=event["Step"], secret=SIGNING_KEY)
