"""Passwords, one-time codes, personal keys and the keys of access, without a store."""

import base64
import hashlib
import hmac
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.access.keys import identity_key, make_keys, signing_key, verifying_keys
from functions.shared.access.one_time_codes import matching_step, new_secret
from functions.shared.access.passwords import (
    hash_password,
    needs_rehash,
    password_matches,
)
from functions.shared.access.personal_keys import PersonalKey
from functions.shared.access.throttle import network_of
from functions.shared.domain.errors import InvariantViolated, NotFound, Refused
from functions.shared.stores.secrets import FileSecrets

# RFC 6238, appendix B: the ASCII secret 12345678901234567890, SHA-1; the last six of eight digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_VECTORS = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
]


@pytest.mark.parametrize(("at", "code"), RFC_VECTORS)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    now = datetime.fromtimestamp(at, UTC)
    assert matching_step(RFC_SECRET, code, now) == at // 30


@pytest.mark.parametrize(("at", "code"), RFC_VECTORS[1:])
def test_a_code_counts_one_step_longer_and_never_ahead(at: int, code: str) -> None:
    now = datetime.fromtimestamp(at, UTC)
    assert matching_step(RFC_SECRET, code, now + timedelta(seconds=30)) == at // 30
    assert matching_step(RFC_SECRET, code, now + timedelta(seconds=60)) is None
    assert matching_step(RFC_SECRET, code, now - timedelta(seconds=30)) is None


def code_by_hand(secret: str, step: int) -> str:
    """RFC 4226, 5.3 and RFC 6238, 4.2, with nothing of ours and no library for it."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 0xF
    (number,) = struct.unpack(">I", mac[at : at + 4])
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


@settings(max_examples=50)
@given(st.integers(120, 2**33), st.integers(-2, 3))
def test_of_an_independent_implementations_codes_two_steps_count(at: int, ago: int) -> None:
    secret = new_secret()
    code = code_by_hand(secret, at // 30 - ago)
    matched = matching_step(secret, code, datetime.fromtimestamp(at, UTC))
    others = {code_by_hand(secret, at // 30 - each) for each in (0, 1)}
    if ago in (0, 1):
        assert matched in {at // 30, at // 30 - 1}
    elif code not in others:
        assert matched is None


@pytest.mark.skipif(shutil.which("oathtool") is None, reason="oathtool is not installed")
def test_the_codes_are_those_of_oathtool() -> None:
    for step in (1, 59_000_000):
        told = subprocess.run(
            ["oathtool", "--totp", "-b", RFC_SECRET, "-N", f"@{step * 30}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        at = datetime.fromtimestamp(step * 30, UTC)
        assert matching_step(RFC_SECRET, told.stdout.strip(), at) == step


@settings(max_examples=200)
@given(st.text(max_size=12))
def test_no_text_of_another_shape_is_a_code(text: str) -> None:
    if not (len(text) == 6 and text.isascii() and text.isdecimal()):
        assert matching_step(RFC_SECRET, text, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_password_matches_its_own_hash_only() -> None:
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password_matches(stored, "correct horse")
    assert not password_matches(stored, "correct horsf")
    assert not password_matches(None, "correct horse")
    assert not needs_rehash(stored)
    assert hash_password("correct horse") != stored


def test_a_password_typed_in_another_form_of_the_same_characters_matches() -> None:
    assert password_matches(hash_password("cafe\u0301 cafe\u0301"), "café café")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129])
def test_a_password_out_of_bounds_is_refused(password: str) -> None:
    with pytest.raises(Refused):
        hash_password(password)


def test_a_hash_of_another_kind_in_the_store_is_an_alarm() -> None:
    with pytest.raises(InvariantViolated):
        password_matches("plain text", "plain text")


def test_personal_data_opens_for_its_user_and_field_only() -> None:
    wrapping, key = b"w" * 32, PersonalKey.new(7)
    sealed, wrapped = key.encrypt("totp", "secret"), key.wrap(wrapping)
    assert PersonalKey.unwrap(7, wrapped, wrapping).decrypt("totp", sealed) == "secret"
    assert key.encrypt("totp", "secret") != sealed
    for attempt in (
        lambda: PersonalKey.unwrap(8, wrapped, wrapping),
        lambda: PersonalKey.unwrap(7, wrapped, b"x" * 32),
        lambda: key.decrypt("mail", sealed),
        lambda: PersonalKey.new(7).decrypt("totp", sealed),
        lambda: key.decrypt("totp", sealed[:-1]),
        lambda: key.decrypt("totp", b""),
    ):
        with pytest.raises(InvariantViolated):
            attempt()


def test_keys_are_made_once_and_are_a_pair(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path)
    with pytest.raises(NotFound):
        verifying_keys(secrets)
    make_keys(secrets)
    first, wrapping = signing_key(secrets), identity_key(secrets)
    make_keys(secrets)
    assert signing_key(secrets).as_dict() == first.as_dict()
    assert identity_key(secrets) == wrapping
    assert len(wrapping) == 32
    (public,) = verifying_keys(secrets)
    assert not public.is_private
    assert public.kid == first.kid == first.thumbprint()


def test_who_may_check_tokens_is_not_given_the_key_that_makes_them(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path)
    make_keys(secrets)
    assert "PRIVATE" not in secrets.get("token-verifying-key")

    confused = FileSecrets(tmp_path / "other")
    confused.put_new("token-verifying-key", secrets.get("token-signing-key"))
    with pytest.raises(InvariantViolated):
        verifying_keys(confused)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_subscriber_is_an_address_or_a_network(address: str, network: str) -> None:
    assert network_of(address) == network
