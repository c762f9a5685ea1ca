"""People and their logins: making one, finding one by name.

Invariant: a user's number is opaque (random, 53 bits, so every JSON reader keeps it exact) and its
low bits choose the slot; a user name is unique and lower-case. The ledger account is made apart.
"""

import hashlib
import re
import secrets as entropy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from functions.shared.access.keys import identity_key
from functions.shared.access.passwords import hash_password
from functions.shared.access.personal_keys import PersonalKey
from functions.shared.access.principal import Mode, State
from functions.shared.access.regions import region_of_login
from functions.shared.domain.errors import Conflict, InvariantViolated, Refused
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,31}")
TOTP_FIELD: Final = "totp"
USER_ID_BITS: Final = 53
_CREATE: Final = (
    "SELECT identity.create_login(:user_id::bigint, :username::text, :password_hash::text,"
    " :wrapped_key::bytea, :totp_secret::bytea, :mode::text, :region::text)"
)
_FIND: Final = (
    "SELECT l.user_id, l.password_hash, l.totp_secret, p.wrapped_key, l.mode, l.roles,"
    " p.state, p.mail_digest IS NOT NULL,"
    " identity.knows_device(l.user_id, :device::bytea, :now::timestamptz)"
    " FROM identity.login l JOIN identity.person p USING (user_id) WHERE l.username = :username"
)


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What a login is checked against. Never logged: no `repr` shows it. `on_known_device`: it was
    looked for with the token of a device that logged in to it before."""

    user_id: int
    password_hash: str
    sealed_totp_secret: bytes | None
    wrapped_key: bytes
    mode: Mode
    roles: tuple[str, ...]
    state: State
    on_known_device: bool = False

    @property
    def factors(self) -> bytes:
        """Of the password and authenticator that it is checked against, as identity.factors_of: a
        session is opened only while they still count."""
        return hashlib.sha256(
            self.password_hash.encode() + (self.sealed_totp_secret or b"")
        ).digest()

    def totp_secret(self, secrets: Secrets) -> str | None:
        """None before an authenticator was enrolled."""
        if self.sealed_totp_secret is None:
            return None
        key = PersonalKey.unwrap(self.user_id, self.wrapped_key, identity_key(secrets))
        return key.decrypt(TOTP_FIELD, self.sealed_totp_secret)


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as they see themselves."""

    user_id: int
    username: str
    roles: tuple[str, ...]
    mode: Mode
    region: str


def create_user(
    shards: Shards,
    secrets: Secrets,
    *,
    username: str,
    password: str,
    totp_secret: str,
    region: str = "IN",
    mode: Mode = "PAPER",
) -> int:
    """A new person with a login, at home in `region`; returns the user's number.

    Raises Refused 400 for a user name or password out of bounds, Conflict (USERNAME_TAKEN).
    """
    name = normal_username(username)
    if _USERNAME.fullmatch(name) is None:
        raise Refused(400, "INVALID_REQUEST", "a user name has 3 to 32 of a-z, 0-9, . _ and -")
    if region_of_login(shards, secrets, name) is not None:
        raise Conflict("USERNAME_TAKEN", f"the user name {name} is taken")
    user_id = entropy.randbelow(2**USER_ID_BITS - 1) + 1
    key = PersonalKey.new(user_id)
    rows = shards.control.run(
        _CREATE,
        user_id=user_id,
        username=name,
        password_hash=hash_password(password),
        wrapped_key=key.wrap(identity_key(secrets)),
        totp_secret=key.encrypt(TOTP_FIELD, totp_secret),
        mode=mode,
        region=region,
    )
    if not rows[0][0]:
        raise Conflict("USERNAME_TAKEN", f"the user name {name} is taken")
    return user_id


def find_login(
    shards: Shards, username: str, device: bytes | None = None, now: datetime | None = None
) -> Login | None:
    """The login of a user name, or None; also None for a person who was erased, whose account is
    closed, or who applied and has not confirmed their mail. `device`: the digest of the token that
    the caller shows at `now`, looked for by the same statement whether the name is known or not.
    """
    rows = shards.control.run(_FIND, username=normal_username(username), device=device, now=now)
    if not rows:
        return None
    user_id, password_hash, totp_secret, wrapped_key, mode, roles, state, confirmed, known = rows[0]
    if wrapped_key is None or state == "CLOSED" or (state == "APPLIED" and not confirmed):
        return None
    return Login(
        user_id,
        password_hash,
        None if totp_secret is None else bytes(totp_secret),
        bytes(wrapped_key),
        mode,
        tuple(roles),
        state,
        known,
    )


def use_code_step(shards: Shards, user_id: int, step: int) -> bool:
    """True for the one caller that uses up a one-time code's step."""
    rows = shards.control.run(
        "SELECT identity.use_step(:user_id::bigint, :step::bigint)", user_id=user_id, step=step
    )
    return bool(rows[0][0])


def note_refusal(shards: Shards, login: Login | None, network: str) -> None:
    """Counts a login that was refused, for the audit trail; None: nobody has that name."""
    shards.control.run(
        "SELECT identity.refuse_login(:user::bigint, :network::text)",
        user=login.user_id if login else None,
        network=network,
    )


def replace_password_hash(shards: Shards, login: Login, password: str) -> Login:
    """Stores the same password at today's cost, which is another than its hash's, unless it was
    changed meanwhile: then the login that is returned, which is as stored otherwise, opens nothing.
    """
    new = hash_password(password)
    shards.control.run(
        "SELECT identity.replace_password_hash(:user_id::bigint, :old::text, :new::text)",
        user_id=login.user_id,
        old=login.password_hash,
        new=new,
    )
    return replace(login, password_hash=new)


def read_profile(shards: Shards, user_id: int) -> Profile:
    """Raises InvariantViolated for a number that is nobody's: its token was ours."""
    rows = shards.control.run(
        "SELECT l.username, l.roles, l.mode, p.region FROM identity.login l"
        " JOIN identity.person p USING (user_id) WHERE l.user_id = :user_id::bigint",
        user_id=user_id,
    )
    if not rows:
        raise InvariantViolated("a token of ours names a user who isn't there")
    username, roles, mode, region = rows[0]
    return Profile(user_id, username, tuple(roles), mode, region)


def normal_username(text: str) -> str:
    return text.strip().lower()
