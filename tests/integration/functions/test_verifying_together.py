"""Tokens of many clients checked at once, against a real PostgreSQL and Valkey."""

import uuid

import pyotp

from functions.shared.access.accounts import create_user
from functions.shared.access.keys import signing_key
from functions.shared.access.principal import SCOPES
from functions.shared.access.sessions import Sessions
from functions.shared.access.tokens import issue_token
from functions.shared.access.verifier import Verifier
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores
from tests.support.sessions import open_session


def sign_in(stores: Stores) -> tuple[int, str, str]:
    """A new user's number, session and token."""
    name, secret = f"u{uuid.uuid4().hex[:12]}", pyotp.random_base32(32)
    user_id = create_user(
        stores.shards, stores.secrets, username=name, password="correct horse", totp_secret=secret
    )
    now = wall_now()
    session_id, _ = open_session(stores, user_id, now)
    token = issue_token(
        signing_key(stores.secrets), user_id=user_id, session_id=session_id, roles=("user",),
        mode="PAPER", region="IN", scopes=SCOPES, kind="PERSON", now=now,
    )  # fmt: skip
    return user_id, session_id, token


def test_tokens_checked_together_are_each_judged_by_their_own_session(stores: Stores) -> None:
    signed_in = [sign_in(stores) for _ in range(3)]
    tokens = [token for _, _, token in signed_in]
    verifier = Verifier.from_stores(stores.secrets, stores.valkey, stores.shards, stores.regions)
    verifier.verify(tokens[0])  # leaves a copy in Valkey
    user_id, ended, _ = signed_in[1]
    Sessions(stores.shards.control, stores.valkey).end(
        ended, user_id, wall_now(), by=ended, network="203.0.113.7"
    )

    def verdicts() -> list[str]:
        found = verifier.verify_all([tokens[0], "forged", tokens[1], tokens[2], tokens[0]])
        return [each.code if isinstance(each, Refused) else each.session_id for each in found]

    expected = [signed_in[0][1], "TOKEN_INVALID", "SESSION_ENDED", signed_in[2][1], signed_in[0][1]]
    assert verdicts() == expected
    stores.valkey.flushall()
    assert [verdicts(), verdicts()] == [expected, expected]
