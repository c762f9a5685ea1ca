"""Tokens that must let nobody in, made by hand: base64, JSON, HMAC and a bare Ed25519 key.

It shares no code with the product and none with a library of tokens: what a library would not write
is what an attacker sends. Sources: RFC 8725, section 2; RFC 7515, sections 4.1 and 5.2; the OWASP
ASVS 5.0, 9.1.1 to 9.2.3.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

_HS256: Final = "HS256"
_NOBODY: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Forgery:
    """A token and the code by which it must be refused; `name` says what is wrong with it."""

    name: str
    token: str
    code: str = "TOKEN_INVALID"


@dataclass(frozen=True)
class Genuine:
    """A token that holds, with the key that signed it and, to pose as, another user."""

    token: str
    refresh_token: str
    signing_pem: str = field(repr=False)
    other_user: int

    @property
    def header(self) -> dict[str, Any]:
        return _read(self.token.split(".")[0])

    @property
    def claims(self) -> dict[str, Any]:
        return _read(self.token.split(".")[1])

    def key(self) -> Ed25519PrivateKey:
        key = load_pem_private_key(self.signing_pem.encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        return key


def forgeries(genuine: Genuine) -> list[Forgery]:
    """Every forgery, each from the genuine token, whose session must be alive."""
    return [*_of_a_stranger(genuine), *_of_a_header(genuine), *_misspelt(genuine),
            *_of_the_signer(genuine)]  # fmt: skip


def signed(genuine: Genuine, claims: Mapping[str, Any], **header: Any) -> str:
    """A token with our own signature on whatever it says."""
    return _signed(genuine, _text(genuine.header | header), _text(claims))


def expired(genuine: Genuine) -> str:
    """As the genuine one, ten minutes later."""
    return signed(genuine, _aged(genuine.claims, 600))


def _of_a_stranger(genuine: Genuine) -> Iterator[Forgery]:
    """What somebody can make who has a token of their own, and the public key."""
    header, payload, signature = genuine.token.split(".")
    for none in ("none", "None", "NONE", "nOnE"):
        bare = f"{_b64(_text({'alg': none, 'typ': 'at+jwt'}))}.{payload}"
        yield Forgery(f"alg {none}, no signature", f"{bare}.")
        yield Forgery(f"alg {none}, a signature", f"{bare}.{signature}")
        named = _b64(_text(genuine.header | {"alg": none}))
        yield Forgery(f"alg {none} beside our kid", f"{named}.{payload}.")
    yield from _signed_with_the_public_key(genuine)
    yield Forgery("an empty signature", f"{header}.{payload}.")
    yield Forgery("no signature", f"{header}.{payload}")
    yield Forgery("a signature of zeros", f"{header}.{payload}.{_b64(bytes(64))}")
    yield Forgery("half of the signature", f"{header}.{payload}.{signature[:43]}")
    other = genuine.claims | {"sub": str(genuine.other_user)}
    yield Forgery("another sub", f"{header}.{_b64(_text(other))}.{signature}")
    raised = genuine.claims | {"roles": ["user", "risk_officer"]}
    yield Forgery("a role more", f"{header}.{_b64(_text(raised))}.{signature}")
    stranger = Ed25519PrivateKey.generate()
    body = f"{header}.{payload}"
    yield Forgery("a key of their own", f"{body}.{_b64(stranger.sign(body.encode()))}")
    yield Forgery("a refresh token", genuine.refresh_token)
    yield Forgery("huge", f"{header}.{'A' * 4096}.{signature}")
    yield Forgery("five parts", f"{header}...{payload}.{signature}")
    yield Forgery("JWS as JSON", _text({"payload": payload, "protected": header,
                                        "signature": signature}).decode())  # fmt: skip


def _signed_with_the_public_key(genuine: Genuine) -> Iterator[Forgery]:
    """The public key taken for the secret of an HMAC, in each form that somebody may keep it."""
    public = genuine.key().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forms = {
        "raw": public.public_bytes_raw(),
        "PEM": pem,
        "PEM without its last line end": pem.rstrip(),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }
    for name, secret in forms.items():
        for kid in ({"kid": genuine.header["kid"]}, {}):
            head = {"alg": _HS256, "typ": "at+jwt", **kid}
            body = f"{_b64(_text(head))}.{_b64(_text(genuine.claims))}"
            digest = hmac.digest(secret, body.encode(), hashlib.sha256)
            yield Forgery(f"HS256 by the public key, {name}, {len(kid)} kid",
                          f"{body}.{_b64(digest)}")  # fmt: skip


def _of_a_header(genuine: Genuine) -> Iterator[Forgery]:
    """A header that chooses a key or a rule; signed by its own key, and then by ours, because the
    header must not count whoever signed it."""
    own = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _b64(own.public_key().public_bytes_raw())}
    headers: dict[str, dict[str, Any]] = {
        "kid a path": {"kid": "../../dev/null"},
        "kid SQL": {"kid": "x' UNION SELECT 'AAAA' --"},
        "kid unknown": {"kid": "nobodys"},
        "kid a number": {"kid": 7},
        "jwk": {"jwk": jwk},
        "jku": {"jku": "http://127.0.0.1:9/keys.json"},
        "x5u": {"x5u": "http://127.0.0.1:9/chain.pem"},
        "x5c": {"x5c": ["MIIB"]},
        "crit b64": {"b64": False, "crit": ["b64"]},
        "crit unknown": {"crit": ["exp"]},
        "typ JWT": {"typ": "JWT"},
        "typ of a refresh token": {"typ": "rt+jwt"},
        "alg ES256": {"alg": "ES256"},
        "zip": {"zip": "DEF"},
    }
    for name, more in headers.items():
        body = f"{_b64(_text(genuine.header | more))}.{_b64(_text(genuine.claims))}"
        yield Forgery(f"{name}, their key", f"{body}.{_b64(own.sign(body.encode()))}")
        yield Forgery(f"{name}, our key", signed(genuine, genuine.claims, **more))
    without = {k: v for k, v in genuine.header.items() if k != "typ"}
    yield Forgery("no typ", _signed(genuine, _text(without), _text(genuine.claims)))
    twice = _text(genuine.header).replace(b"{", b'{"alg":"none",', 1)
    yield Forgery("a header that names alg twice", _signed(genuine, twice, _text(genuine.claims)))


def _misspelt(genuine: Genuine) -> Iterator[Forgery]:
    """The genuine token, written otherwise: one token has one spelling (RFC 4648, 3.3 and 3.5)."""
    header, payload, signature = genuine.token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) + 1]
    yield Forgery("spare bits set", f"{header}.{payload}.{signature[:-1]}{last}")
    yield Forgery("padded", f"{header}.{payload}.{signature}==")
    yield Forgery("bytes behind the signature", f"{header}.{payload}.{signature}AAAA")
    for name, mark in {"a star": "*", "a tilde": "~", "a space": " ", "a tab": "\t"}.items():
        broken = f"{signature[:40]}{mark}{signature[40:]}"
        yield Forgery(f"{name} in the signature", f"{header}.{payload}.{broken}")
    four = f"{signature[:40]}****{signature[40:]}"
    yield Forgery("four stars in the signature", f"{header}.{payload}.{four}")
    yield Forgery("a part behind", f"{genuine.token}.AAAA")
    yield Forgery("a part before", f"AAAA.{genuine.token}")
    yield Forgery("a letter that is none of ASCII", f"{header}.{payload}.{signature[:-1]}é")


def _of_the_signer(genuine: Genuine) -> Iterator[Forgery]:
    """Tokens with our own signature that don't fit: the signature alone lets nobody in."""
    claims = genuine.claims
    yield Forgery("expired a second ago", signed(genuine, _aged(claims, 601)), "TOKEN_EXPIRED")
    yield Forgery("iat ahead of time", signed(genuine, _aged(claims, -3600)))
    yield Forgery("good for a year", signed(genuine, claims | {"exp": claims["exp"] + 31_536_000}))
    yield Forgery("no session", signed(genuine, claims | {"sid": _NOBODY}), "SESSION_ENDED")
    changed: dict[str, dict[str, Any]] = {
        "another aud": {"aud": "outcry-admin"}, "a list for aud": {"aud": [claims["aud"]]},
        "another iss": {"iss": "elsewhere"}, "sub a number": {"sub": genuine.other_user},
        "sub no number": {"sub": "1 OR 1=1"}, "sub negative": {"sub": "-1"},
        "sub in other digits": {"sub": "१२३"}, "exp a text": {"exp": str(claims["exp"])},
        "exp a fraction": {"exp": claims["exp"] + 0.5}, "sid null": {"sid": None},
    }  # fmt: skip
    for name, change in changed.items():
        yield Forgery(name, signed(genuine, claims | change))
    for claim in claims:
        rest = {k: v for k, v in claims.items() if k != claim}
        yield Forgery(f"no {claim}", signed(genuine, rest))
    header = _text(genuine.header)
    twice = _text(claims).replace(b"{", b'{"sub":"%d",' % genuine.other_user, 1)
    yield Forgery("sub named twice", _signed(genuine, header, twice))
    yield Forgery("claims that are a list", _signed(genuine, header, b"[]"))
    yield Forgery("claims that are no JSON", _signed(genuine, header, b"\xff"))
    yield Forgery("claims of nothing", _signed(genuine, header, b""))


def _aged(claims: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    return {**claims, "iat": claims["iat"] - seconds, "exp": claims["exp"] - seconds}


def _signed(genuine: Genuine, header: bytes, payload: bytes) -> str:
    body = f"{_b64(header)}.{_b64(payload)}"
    return f"{body}.{_b64(genuine.key().sign(body.encode()))}"


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _read(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
