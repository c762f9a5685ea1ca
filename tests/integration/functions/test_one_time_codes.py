"""When a one-time code lets in, by codes that no code of ours made (ASVS 5.0, 6.5.1, 6.5.5)."""

import base64
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from functions.auth import handler as auth
from functions.shared.access.accounts import create_user
from functions.shared.access.one_time_codes import new_secret
from functions.shared.runtime.composition import Stores
from tests.support.api_events import api_event, call
from tests.support.one_time_codes import STEP_SECONDS, code_at, oathtool_code_at

_PASSWORD = "correct horse battery"
_STEP = timedelta(seconds=STEP_SECONDS)
#: The tenth second of a step.
_NOW = datetime(2026, 7, 10, 4, 0, 10, tzinfo=UTC)

LogIn = Callable[[str, datetime], int]


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B: SHA-1, eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    seconds = (59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000)
    assert [code_at(secret, datetime.fromtimestamp(s, UTC), 8) for s in seconds] == [
        "94287082", "07081804", "14050471", "89005924", "69279037", "65353130"
    ]  # fmt: skip
    for secret in (new_secret(), new_secret()):
        assert oathtool_code_at(secret, _NOW) in {None, code_at(secret, _NOW)}


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.fixture
def log_in(stores: Stores, secret: str, monkeypatch: pytest.MonkeyPatch) -> LogIn:
    """A new user's login with a code, at a moment of the wall clock: the status."""
    name = f"u{uuid.uuid4().hex[:12]}"
    create_user(
        stores.shards, stores.secrets, username=name, password=_PASSWORD, totp_secret=secret
    )

    def attempt(code: str, now: datetime) -> int:
        monkeypatch.setattr(auth, "wall_now", lambda: now)
        body = {"username": name, "password": _PASSWORD, "totp": code}
        return call(auth.lambda_handler, api_event("POST", "/v1/auth/login", body)).status

    return attempt


def test_a_code_counts_in_its_step_and_the_next_once_and_never_before(
    log_in: LogIn, secret: str
) -> None:
    code = code_at(secret, _NOW)
    assert log_in(code, _NOW - _STEP) == 401
    assert log_in(code, _NOW - _STEP + timedelta(seconds=19)) == 401  # a second ahead of its step
    assert log_in(code, _NOW + 2 * _STEP) == 401
    assert log_in(code, _NOW + _STEP) == 200
    assert log_in(code, _NOW + _STEP) == 401
    assert log_in(code, _NOW) == 401
    assert log_in(code_at(secret, _NOW + _STEP), _NOW + _STEP) == 200


def test_a_code_that_was_used_takes_those_before_it_along(log_in: LogIn, secret: str) -> None:
    before, code = code_at(secret, _NOW - _STEP), code_at(secret, _NOW)
    assert log_in(code, _NOW) == 200
    assert log_in(before, _NOW) == 401
    assert log_in(code, _NOW) == 401


def test_a_code_counts_as_it_is_written_alone(log_in: LogIn, secret: str) -> None:
    code = code_at(secret, _NOW)
    eastern = code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert {log_in(text, _NOW) for text in (f" {code}", f"{code}0", code[:5], eastern)} == {400}
    assert log_in(code, _NOW) == 200
