"""Changing the key that signs tokens, in both stores of secrets: files, and Secrets Manager as moto
plays it. Old and new tokens count all the while."""

import uuid
from pathlib import Path

import pytest

from functions.rotation import handler
from functions.rotation.rotate_signing_key import STEPS
from functions.shared.access.keyring import REREAD_SECONDS, Keyring
from functions.shared.access.keys import (
    SIGNING_KEY,
    VERIFYING_KEY,
    make_keys,
    signing_key,
    verifying_keys,
)
from functions.shared.access.tokens import issue_token
from functions.shared.clock import wall_now
from functions.shared.domain.errors import InvariantViolated
from functions.shared.stores.secrets import open_secrets


@pytest.fixture(params=["files", "simulated"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a store with its keys, which the function is told of."""
    simulated = request.param == "simulated"
    url = f"aws:{request.getfixturevalue('aws')}" if simulated else f"file://{tmp_path}/secrets"
    monkeypatch.setenv("OUTCRY_SECRETS_URL", url)
    make_keys(open_secrets(url))
    return url


def step(name: str, version: str, secret: str = f"outcry/{SIGNING_KEY}") -> None:
    event = {"Step": name, "SecretId": secret, "ClientRequestToken": version}
    handler.lambda_handler(event, None)


def token(url: str) -> str:
    """Signed by whoever signs now."""
    return issue_token(
        signing_key(open_secrets(url)), user_id=7, session_id="s", roles=(), mode="PAPER",
        region="IN", scopes=("read",), kind="PERSON", now=wall_now(),
    )  # fmt: skip


def test_tokens_of_the_old_key_and_the_new_count_at_every_step_and_every_step_twice(
    url: str,
) -> None:
    clock = [0.0]
    secrets = open_secrets(url)
    ring = Keyring(lambda: verifying_keys(secrets), lambda: clock[0])  # of a process that runs on
    tokens = [token(url)]
    first, version = signing_key(secrets).kid, str(uuid.uuid4())
    for name in STEPS:
        for _ in range(2):
            if not (name == "finishSecret" and signing_key(open_secrets(url)).kid != first):
                step(name, version)
            tokens.append(token(url))
            clock[0] += REREAD_SECONDS
            assert None not in [ring.key_of(each) for each in tokens]
        assert (signing_key(open_secrets(url)).kid != first) == (name == "finishSecret")
    assert "PRIVATE" not in secrets.current(VERIFYING_KEY)


def test_the_list_of_keys_stays_short(url: str) -> None:
    kids = [signing_key(open_secrets(url)).kid]
    for _ in range(4):
        version = str(uuid.uuid4())
        for name in STEPS:
            step(name, version)
        kids.insert(0, signing_key(open_secrets(url)).kid)
    assert [key.kid for key in verifying_keys(open_secrets(url))] == kids[:3]


def test_a_key_that_nobody_could_check_never_signs(url: str) -> None:
    version, first = str(uuid.uuid4()), signing_key(open_secrets(url)).kid
    step("createSecret", version)
    with pytest.raises(InvariantViolated, match="not among those that check"):
        step("testSecret", version)
    assert signing_key(open_secrets(url)).kid == first


@pytest.mark.parametrize(
    ("name", "secret"),
    [("createSecret", "outcry/identity-key"), ("dropSecret", f"outcry/{SIGNING_KEY}")],
)
def test_another_secret_or_step_is_refused(url: str, name: str, secret: str) -> None:
    with pytest.raises(InvariantViolated):
        step(name, str(uuid.uuid4()), secret)
