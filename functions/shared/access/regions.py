"""Regions: a person's data lives in one of them, and every other one says where.

Invariant: no name, number or row of a person leaves their region. What another region knows is a
keyed digest of the user name and the region it belongs to, so that a login at the wrong door can
be sent to the right one (421). What a token of another region says of itself, unproven, decides
nothing but which public address that refusal names.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from functions.shared.access.keys import directory_key
from functions.shared.domain.errors import Refused
from functions.shared.settings import SettingsError
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

_NAME: Final = re.compile(r"[A-Z]{2,8}")
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Regions:
    """The region that is served here, and the API's address in each region that is known."""

    home: str
    addresses: dict[str, str]

    @classmethod
    def parse(cls, home: str, pairs: Sequence[str]) -> Self:
        """From OUTCRY_REGION and OUTCRY_REGIONS (`NAME=ADDRESS` each). Raises SettingsError."""
        addresses: dict[str, str] = {}
        for pair in filter(None, pairs):
            name, _, address = pair.partition("=")
            if not _NAME.fullmatch(name) or not address.startswith(("http://", "https://")):
                raise SettingsError(f"OUTCRY_REGIONS: {pair!r} is not NAME=http(s)://ADDRESS")
            addresses[name] = address
        if not _NAME.fullmatch(home):
            raise SettingsError(f"OUTCRY_REGION: {home!r} is not the name of a region, as IN is")
        return cls(home, addresses)

    def require_home(self, region: str) -> None:
        """Raises Refused 421 WRONG_REGION, with where to go, for another region's user."""
        if region == self.home:
            return
        raise Refused(
            421,
            "WRONG_REGION",
            f"this user is at home in {region}; nothing of theirs is here",
            region=region,
            location=self.addresses.get(region),
        )

    def is_elsewhere(self, region: str) -> bool:
        """Whether that is another region of ours."""
        return region != self.home and region in self.addresses


def region_of_login(shards: Shards, secrets: Secrets, username: str) -> str | None:
    """The other region that told us of this user name; None when none did."""
    rows = shards.control.run(
        "SELECT region FROM identity.login_elsewhere WHERE digest = :digest::bytea",
        digest=login_digest(secrets, username),
    )
    return str(rows[0][0]) if rows else None


def login_digest(secrets: Secrets, username: str) -> bytes:
    """HMAC-SHA256 of a normal user name under the key that only regions of ours share."""
    return hmac.digest(directory_key(secrets), username.encode(), hashlib.sha256)


def home_logins(shards: Shards, secrets: Secrets) -> Iterable[bytes]:
    """The digest of each user name at home here: all that other regions are told of them."""
    after = ""
    while rows := shards.control.run(
        "SELECT username FROM identity.login WHERE username > :after::text"
        " ORDER BY username LIMIT :rows::integer",
        after=after,
        rows=_PAGE,
    ):
        yield from (login_digest(secrets, row[0]) for row in rows)
        after = rows[-1][0]


def learn_logins(shards: Shards, region: str, digests: Sequence[bytes]) -> None:
    """Takes in what another region tells of its logins; told again, it changes nothing."""
    shards.control.run(
        "SELECT identity.learn_logins(:digests::bytea[], :region::text)",
        digests=list(digests),
        region=region,
    )
