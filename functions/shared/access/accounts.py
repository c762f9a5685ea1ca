"""People and their logins: making one, finding one by name.

Invariant: a user's number is opaque (random, 53 bits, so every JSON reader keeps it exact) and its
low bits choose the slot; a user name is unique and lower-case. The ledger account is made apart.
"""

import re
import secrets as entropy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from functions.shared.access.keys import identity_key
from functions.shared.access.passwords import hash_password
from functions.shared.access.personal_keys import PersonalKey
from functions.shared.access.principal import Mode
from functions.shared.access.regions import region_of_login
from functions.shared.domain.errors import Conflict, InvariantViolated, Refused
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

USER_ROLE: Final = "user"
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,31}")
_TOTP_FIELD: Final = "totp"
_USER_ID_BITS: Final = 53
_CREATE: Final = (
    "SELECT identity.create_login(:user_id::bigint, :username::text, :password_hash::text,"
    " :wrapped_key::bytea, :totp_secret::bytea, :mode::text, :roles::text[], :region::text)"
)
_FIND: Final = (
    "SELECT l.user_id, l.password_hash, l.totp_secret, p.wrapped_key, l.mode, l.roles"
    " FROM identity.login l JOIN identity.person p USING (user_id) WHERE l.username = :username"
)


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What a login is checked against. Never logged: no `repr` shows it."""

    user_id: int
    password_hash: str
    sealed_totp_secret: bytes
    wrapped_key: bytes
    mode: Mode
    roles: tuple[str, ...]

    def totp_secret(self, secrets: Secrets) -> str:
        key = PersonalKey.unwrap(self.user_id, self.wrapped_key, identity_key(secrets))
        return key.decrypt(_TOTP_FIELD, self.sealed_totp_secret)


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
    roles: Sequence[str] = (USER_ROLE,),
) -> int:
    """A new person with a login, at home in `region`; returns the user's number.

    Raises Refused 400 for a user name or password out of bounds, Conflict (USERNAME_TAKEN).
    """
    name = normal_username(username)
    if _USERNAME.fullmatch(name) is None:
        raise Refused(400, "INVALID_REQUEST", "a user name has 3 to 32 of a-z, 0-9, . _ and -")
    if region_of_login(shards, secrets, name) is not None:
        raise Conflict("USERNAME_TAKEN", f"the user name {name} is taken")
    user_id = entropy.randbelow(2**_USER_ID_BITS - 1) + 1
    key = PersonalKey.new(user_id)
    rows = shards.control.run(
        _CREATE,
        user_id=user_id,
        username=name,
        password_hash=hash_password(password),
        wrapped_key=key.wrap(identity_key(secrets)),
        totp_secret=key.encrypt(_TOTP_FIELD, totp_secret),
        mode=mode,
        roles=list(roles),
        region=region,
    )
    if not rows[0][0]:
        raise Conflict("USERNAME_TAKEN", f"the user name {name} is taken")
    return user_id


def find_login(shards: Shards, username: str) -> Login | None:
    """The login of a user name, or None; also None for a person who was erased."""
    rows = shards.control.run(_FIND, username=normal_username(username))
    if not rows or rows[0][3] is None:
        return None
    user_id, password_hash, totp_secret, wrapped_key, mode, roles = rows[0]
    return Login(user_id, password_hash, bytes(totp_secret), bytes(wrapped_key), mode, tuple(roles))


def use_code_step(shards: Shards, user_id: int, step: int) -> bool:
    """True for the one caller that uses up a one-time code's step."""
    rows = shards.control.run(
        "SELECT identity.use_step(:user_id::bigint, :step::bigint)", user_id=user_id, step=step
    )
    return bool(rows[0][0])


def replace_password_hash(shards: Shards, login: Login, password: str) -> None:
    """Stores the password at today's cost, unless it was changed meanwhile."""
    shards.control.run(
        "SELECT identity.replace_password_hash(:user_id::bigint, :old::text, :new::text)",
        user_id=login.user_id,
        old=login.password_hash,
        new=hash_password(password),
    )


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
