"""Access tokens: ten-minute JWTs (RFC 9068) signed with Ed25519 under one pinned algorithm.

Invariant: the header of a token chooses nothing. Algorithm, type and key are ours to know
(RFC 8725, sections 3.1 and 3.11), and a header that isn't ours to the byte is refused unread, so
`jku`, `jwk`, `x5u` and `crit` never take part. The claims, too, are as we write them or refused.
Times are the wall clock's.
"""

import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from joserfc.util import json_b64encode

from functions.shared.access.principal import Kind, Mode, Principal
from functions.shared.domain.errors import Refused

LIFETIME: Final = timedelta(minutes=10)
ISSUER: Final = "outcry"
AUDIENCE: Final = "outcry-api"
_TYPE: Final = "at+jwt"
_ALGORITHM: Final = "EdDSA"
_TOKEN_CHARACTERS_MAX: Final = 2048
#: How far ahead of ours the issuing machine's clock may be.
_CLOCK_SKEW: Final = timedelta(seconds=5)


class _Claims(msgspec.Struct, frozen=True):
    """Every claim is required; times are whole seconds since 1970."""

    iss: Literal["outcry"]
    aud: Literal["outcry-api"]
    sub: str
    sid: str
    jti: str
    iat: int
    exp: int
    roles: tuple[str, ...]
    mode: Mode
    region: str
    scopes: tuple[str, ...]
    kind: Kind
    addresses: tuple[str, ...]
    algo_id: str | None


class _Unproven(msgspec.Struct, frozen=True):
    """What a token that isn't ours says of itself."""

    region: str


class _OnlyEdDSA(JWSRegistry):
    """One algorithm, whatever a header asks for. (RFC 9864 renames it to Ed25519; clients'
    libraries know it by the old name, and with an Ed25519 key the two are the same.)"""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != _ALGORITHM:
            raise Refused(401, "TOKEN_INVALID", "the token is not one of ours")
        return self.algorithms[_ALGORITHM]


_REGISTRY: Final = _OnlyEdDSA(algorithms=[_ALGORITHM])


def issue_token(
    key: OKPKey,
    *,
    user_id: int,
    session_id: str,
    roles: tuple[str, ...],
    mode: Mode,
    region: str,
    scopes: Collection[str],
    kind: Kind,
    now: datetime,
    until: datetime | None = None,
    addresses: tuple[str, ...] = (),
    algo_id: str | None = None,
) -> str:
    """A signed token that ends LIFETIME after `now`, or with its session at `until`; `region`:
    where the user is at home. The rest is what Principal says."""
    ends = now + LIFETIME if until is None else min(now + LIFETIME, until)
    claims = _Claims(
        iss=ISSUER,
        aud=AUDIENCE,
        sub=str(user_id),
        sid=session_id,
        jti=uuid.uuid4().hex,
        iat=int(now.timestamp()),
        exp=int(ends.timestamp()),
        roles=roles,
        mode=mode,
        region=region,
        scopes=tuple(sorted(scopes)),
        kind=kind,
        addresses=addresses,
        algo_id=algo_id,
    )
    header = _header(key)
    return jws.serialize_compact(header, msgspec.json.encode(claims), key, registry=_REGISTRY)


def read_token(token: str, key: OKPKey, now: datetime) -> Principal:
    """What a token of ours says. Raises Refused 401: TOKEN_EXPIRED, or TOKEN_INVALID for any
    other fault, without telling which."""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        raise _invalid()
    try:
        if not is_headed_for(token, key):
            raise _invalid()
        verified = jws.deserialize_compact(token, key, registry=_REGISTRY)
        claims = msgspec.json.decode(verified.payload, type=_Claims)
        if msgspec.json.encode(claims) != verified.payload:  # a claim more, or one named twice
            raise _invalid()
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError):
        raise _invalid() from None
    latest_issue = (now + _CLOCK_SKEW).timestamp()
    if claims.iat > latest_issue or claims.exp - claims.iat > LIFETIME.total_seconds():
        raise _invalid()
    if claims.exp <= now.timestamp():
        raise Refused(401, "TOKEN_EXPIRED", "the token has expired; refresh it")
    return Principal(
        user_id=_user_id(claims.sub),
        session_id=claims.sid,
        roles=claims.roles,
        mode=claims.mode,
        region=claims.region,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        scopes=frozenset(claims.scopes),
        kind=claims.kind,
        addresses=claims.addresses,
        algo_id=claims.algo_id,
    )


def is_headed_for(token: str, key: OKPKey) -> bool:
    """Whether the token's header is, letter for letter, that of a token which the key signs."""
    return token.partition(".")[0].encode() == json_b64encode(_header(key))


def unproven_region(token: str) -> str | None:
    """The region that a token claims, whoever signed it: no more than a hint."""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        return None
    try:
        return msgspec.json.decode(
            jws.extract_compact(token.encode()).payload, type=_Unproven
        ).region
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError):
        return None


def _header(key: OKPKey) -> dict[str, Any]:
    return {"alg": _ALGORITHM, "typ": _TYPE, "kid": key.kid}


def _user_id(subject: str) -> int:
    if not (subject.isascii() and subject.isdecimal()):
        raise _invalid()
    return int(subject)


def _invalid() -> Refused:
    return Refused(401, "TOKEN_INVALID", "the token is not one of ours")
