"""Every forged token at the doors inside: a function by itself, and the authorizer before it.

ASVS 5.0: 7.4.1 (a session that ended), 9.1.1 to 9.1.3 (signature, algorithm, keys), 9.2.1 to 9.2.3
(times, type, audience). tests/e2e/test_forged_tokens.py knocks at the same from outside.
"""

import uuid
from typing import Any

import pyotp

from functions.auth import authorizer
from functions.auth import handler as auth
from functions.shared.access.accounts import create_user
from functions.shared.access.keys import SIGNING_KEY
from functions.shared.runtime.composition import Stores
from tests.support.api_events import api_event, call
from tests.support.forged_tokens import Genuine, expired, forgeries, signed

_ARN = "arn:aws:execute-api:ap-south-1:1:api/live/GET/v1/profile"
_PASSWORD = "correct horse battery"


def log_in(stores: Stores) -> tuple[int, Any]:
    """A new user's number, and the tokens of their first login."""
    name, secret = f"u{uuid.uuid4().hex[:12]}", pyotp.random_base32(32)
    user_id = create_user(
        stores.shards, stores.secrets, username=name, password=_PASSWORD, totp_secret=secret
    )
    body = {"username": name, "password": _PASSWORD, "totp": pyotp.TOTP(secret).now()}
    answer = call(auth.lambda_handler, api_event("POST", "/v1/auth/login", body))
    assert answer.status == 200
    return user_id, answer.body


def at_the_function(token: str) -> str:
    answer = call(auth.lambda_handler, api_event("GET", "/v1/profile", token=token))
    if answer.status == 200:
        return "LET IN"
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    return str(answer.body["code"])


def at_the_authorizer(token: str) -> str:
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": _ARN}
    policy = authorizer.lambda_handler(event, None)
    if policy["policyDocument"]["Statement"][0]["Effect"] == "Allow":
        return "LET IN"
    return str(policy["context"]["code"])


def test_no_forged_token_is_let_in_by_a_function_or_by_the_authorizer(stores: Stores) -> None:
    (_, login), (other_user, _) = log_in(stores), log_in(stores)
    genuine = Genuine(
        login["access_token"], login["refresh_token"], stores.secrets.get(SIGNING_KEY), other_user
    )
    assert [at_the_function(genuine.token), at_the_authorizer(genuine.token)] == ["LET IN"] * 2
    again = signed(genuine, genuine.claims)  # the forger's hand is as good as ours
    assert again == genuine.token
    wanted = {f.name: (f.code, f.code) for f in forgeries(genuine)}
    found = {
        f.name: (at_the_function(f.token), at_the_authorizer(f.token)) for f in forgeries(genuine)
    }
    assert found == wanted
    assert len(wanted) >= 100
    assert at_the_function(expired(genuine)) == "TOKEN_EXPIRED"
    assert at_the_function(genuine.token) == "LET IN"  # none of it has ended the session
    call(auth.lambda_handler, api_event("POST", "/v1/auth/logout", token=genuine.token))
    assert [at_the_function(genuine.token), at_the_authorizer(genuine.token)] == [
        "SESSION_ENDED"
    ] * 2
