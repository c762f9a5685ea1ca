"""The gateway's authorizer: the same verifier as every function, one step earlier.

Invariant: it lets in or refuses, and says by which code; no function trusts its word, each verifies
the bearer again. Its answers must not be cached (`ReauthorizeEvery: 0`), or a session that ended
would linger.
"""

from typing import Any, Literal

from functions.shared.domain.errors import Refused
from functions.shared.runtime import composition
from functions.shared.runtime.codes import CODES
from functions.shared.runtime.http import bearer_of
from functions.shared.runtime.logs import logger


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An IAM policy for a TOKEN or REQUEST authorizer's event. A Deny has `code`, `title` and
    `detail`, from which the template makes the 401 (ACCESS_DENIED): an error would say
    "Unauthorized" and nothing more.

    Retryable passes through: the gateway answers 503, and nobody is let in.
    """
    try:
        principal = composition.stores().verifier.verify(bearer_of(_header(event)))
    except Refused as refusal:
        logger().info("refused", code=refusal.code)
        if refusal.code == "WRONG_REGION":
            # The function answers 421 with where to go; from here the client would get no address.
            return _policy("elsewhere", "Allow", event["methodArn"], {})
        why = {"code": refusal.code, "title": CODES[refusal.code], "detail": str(refusal)}
        return _policy("nobody", "Deny", event["methodArn"], why)
    return _policy(
        str(principal.user_id),
        "Allow",
        event["methodArn"],
        {"user_id": str(principal.user_id), "session_id": principal.session_id},
    )


def _header(event: dict[str, Any]) -> str | None:
    if event.get("type") == "TOKEN":
        token: str | None = event.get("authorizationToken")
        return token
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return headers.get("authorization")


def _policy(
    principal_id: str, effect: Literal["Allow", "Deny"], arn: str, context: dict[str, str]
) -> dict[str, Any]:
    return {
        "principalId": principal_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}],
        },
        "context": context,
    }
