"""Access tokens, and the forgeries of RFC 8725 and its neighbours."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from functions.shared.access.tokens import LIFETIME, issue_token, read_token
from functions.shared.domain.errors import Refused

NOW = datetime(2026, 7, 10, 4, 0, tzinfo=UTC)


def _key() -> OKPKey:
    key = OKPKey.generate_key("Ed25519")
    return OKPKey.import_key(key.as_pem(private=True), {"kid": key.thumbprint()})


KEY = _key()
PUBLIC = OKPKey.import_key(KEY.as_pem(private=False), {"kid": KEY.kid})
HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid}
CLAIMS: dict[str, Any] = {
    "iss": "outcry",
    "aud": "outcry-api",
    "sub": "7",
    "sid": "session-1",
    "jti": "j",
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + LIFETIME).timestamp()),
    "roles": ["user"],
    "mode": "PAPER",
    "region": "IN",
    "scopes": ["read"],
    "kind": "PERSON",
    "addresses": [],
    "algo_id": None,
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    """JSON as a token of ours has it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def forge(header: object = HEADER, claims: object = CLAIMS, *, key: OKPKey = KEY) -> str:
    """A token made by hand, so that the library under test takes no part in the forgery."""
    signing = f"{b64(compact(header))}.{b64(compact(claims))}"
    private = load_pem_private_key(key.as_pem(private=True), None)
    return f"{signing}.{b64(private.sign(signing.encode()))}"  # type: ignore[union-attr,call-arg,arg-type]


def with_hmac(header: object, secret: bytes) -> str:
    signing = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    return f"{signing}.{b64(hmac.digest(secret, signing.encode(), hashlib.sha256))}"


def refusal(token: str, now: datetime = NOW) -> str:
    with pytest.raises(Refused) as caught:
        read_token(token, PUBLIC, now)
    assert caught.value.status == 401
    return caught.value.code


def test_a_token_says_what_it_was_issued_for() -> None:
    token = issue_token(
        KEY, user_id=2**53 - 1, session_id="s", roles=("user", "auditor"), mode="LIVE",
        region="SG", scopes={"trade", "read"},
        kind="PROGRAM", addresses=("2001:db8::/32",), algo_id="A7", now=NOW,
    )  # fmt: skip
    principal = read_token(token, PUBLIC, NOW)
    assert principal.user_id == 2**53 - 1
    assert principal.session_id == "s"
    assert principal.roles == ("user", "auditor")
    assert (principal.mode, principal.region) == ("LIVE", "SG")
    assert principal.expires_at == NOW + LIFETIME
    assert (principal.scopes, principal.kind) == ({"read", "trade"}, "PROGRAM")
    assert (principal.addresses, principal.algo_id) == (("2001:db8::/32",), "A7")
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == HEADER


def test_a_hand_made_token_of_the_right_shape_is_read() -> None:
    assert read_token(forge(), PUBLIC, NOW).user_id == 7


def test_a_token_expires_to_the_second() -> None:
    token = forge()
    assert read_token(token, PUBLIC, NOW + LIFETIME - timedelta(seconds=1)).user_id == 7
    assert refusal(token, NOW + LIFETIME) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "None"},
        {**HEADER, "alg": "nOnE"},
        {**HEADER, "alg": "HS256"},
        {**HEADER, "alg": "ES256"},
        {**HEADER, "alg": ""},
        {**HEADER, "alg": None},
        {"alg": "EdDSA", "typ": "at+jwt"},
        {**HEADER, "typ": "JWT"},
        {**HEADER, "typ": "rt+jwt"},
        {"alg": "EdDSA", "kid": KEY.kid},
        {**HEADER, "kid": "../../../../dev/null"},
        {**HEADER, "kid": "x' UNION SELECT 'key"},
        {**HEADER, "kid": "unknown"},
        {**HEADER, "kid": None},
        {**HEADER, "jku": "https://attacker.example/keys"},
        {**HEADER, "x5u": "https://attacker.example/cert"},
        {**HEADER, "x5c": ["MIIB"]},
        {**HEADER, "jwk": PUBLIC.as_dict(private=False)},
        {**HEADER, "b64": False, "crit": ["b64"]},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "zip": "DEF"},
        [],
        "EdDSA",
        None,
    ],
    # The key is new in each process, and the id must not be.
    ids=lambda header: json.dumps(header).replace(str(HEADER["kid"]), "OURS")[:60],
)
def test_a_header_chooses_nothing(header: object) -> None:
    assert refusal(forge(header)) == "TOKEN_INVALID"


@pytest.mark.parametrize("alg", ["none", "None", "nOnE"])
def test_an_unsigned_token_is_refused(alg: str) -> None:
    body = b64(json.dumps(CLAIMS).encode())
    head = b64(json.dumps({**HEADER, "alg": alg}).encode())
    assert refusal(f"{head}.{body}.") == "TOKEN_INVALID"
    assert refusal(f"{head}.{body}") == "TOKEN_INVALID"


def test_the_public_key_is_no_hmac_secret() -> None:
    for secret in (KEY.as_pem(private=False), b""):
        assert refusal(with_hmac({**HEADER, "alg": "HS256"}, secret)) == "TOKEN_INVALID"
        assert refusal(with_hmac(HEADER, secret)) == "TOKEN_INVALID"


def test_another_key_under_our_kid_is_refused() -> None:
    assert refusal(forge(key=_key())) == "TOKEN_INVALID"


def test_a_changed_or_missing_signature_is_refused() -> None:
    head, body, signature = forge().split(".")
    changed = b64(json.dumps({**CLAIMS, "sub": "8"}).encode())
    assert refusal(f"{head}.{changed}.{signature}") == "TOKEN_INVALID"
    assert refusal(f"{head}.{body}.") == "TOKEN_INVALID"
    assert refusal(f"{head}.{body}.{signature[:-4]}AAAA") == "TOKEN_INVALID"
    assert refusal(f"{head}.{body}.{signature}.{signature}") == "TOKEN_INVALID"


@pytest.mark.parametrize("missing", sorted(CLAIMS))
def test_every_claim_is_required(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    assert refusal(forge(claims=claims)) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "someone"},
        {"aud": "another-api"},
        {"aud": ["outcry-api"]},
        {"sub": "-7"},
        {"sub": "7; DROP"},
        {"sub": "٧"},
        {"sub": 7},
        {"sub": ""},
        {"mode": "ROOT"},
        {"roles": "admin"},
        {"iat": int(NOW.timestamp()) + 60},
        {"exp": int((NOW + LIFETIME).timestamp()) + 60},
        {"exp": "9999999999"},
        {"exp": 1e30},
        {"exp": 10**18},
        {"iat": True},
    ],
    ids=lambda change: json.dumps(change),
)
def test_a_claim_out_of_place_is_refused(change: dict[str, Any]) -> None:
    assert refusal(forge(claims={**CLAIMS, **change})) == "TOKEN_INVALID"


def test_a_claim_that_we_never_write_is_refused_as_is_one_named_twice() -> None:
    assert refusal(forge(claims={**CLAIMS, "admin": True})) == "TOKEN_INVALID"
    head = b64(compact(HEADER))
    for claims in (b'{"sub":"8",' + compact(CLAIMS)[1:], compact(CLAIMS)[:-1] + b',"sub":"8"}'):
        signing = f"{head}.{b64(claims)}"
        private = load_pem_private_key(KEY.as_pem(private=True), None)
        signature = private.sign(signing.encode())  # type: ignore[union-attr,call-arg,arg-type]
        assert refusal(f"{signing}.{b64(signature)}") == "TOKEN_INVALID"


def test_a_refresh_token_is_no_access_token() -> None:
    assert refusal("x" * 43) == "TOKEN_INVALID"


def test_a_huge_token_is_refused_unread() -> None:
    assert refusal(forge(claims={**CLAIMS, "jti": "j" * 10_000})) == "TOKEN_INVALID"


@settings(max_examples=300)
@given(st.text(max_size=300))
def test_no_text_makes_anything_but_a_refusal(text: str) -> None:
    assert refusal(text) == "TOKEN_INVALID"


@settings(max_examples=200)
@given(st.binary(max_size=60), st.binary(max_size=120), st.binary(max_size=70))
def test_no_three_parts_make_anything_but_a_refusal(a: bytes, b: bytes, c: bytes) -> None:
    assert refusal(f"{b64(a)}.{b64(b)}.{b64(c)}") == "TOKEN_INVALID"
