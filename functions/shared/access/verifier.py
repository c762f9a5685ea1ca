"""The one check of a bearer: every function, the authorizer and the stream ask it.

Invariant: a token counts only if we signed it, it has not expired, its session has not ended, and
its user is at home in this region.
When no store can tell whether the session has ended, nobody is let in.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

from joserfc.jwk import OKPKey

from functions.shared.access.call_rates import CallRates
from functions.shared.access.keyring import Keyring
from functions.shared.access.keys import verifying_keys
from functions.shared.access.principal import Principal, require_address
from functions.shared.access.regions import Regions
from functions.shared.access.sessions import Sessions
from functions.shared.access.tokens import read_token, unproven_region
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets
from functions.shared.stores.valkey import Valkey


class Verifier:
    """Not for two threads at once: it uses shard 0's connection."""

    def __init__(
        self,
        keys: Keyring,
        sessions: Sessions,
        regions: Regions,
        wall: Callable[[], datetime] = wall_now,
    ) -> None:
        self._keys = keys
        self._regions = regions
        self._sessions = sessions
        self._wall = wall

    @classmethod
    def from_stores(
        cls, secrets: Secrets, valkey: Valkey, shards: Shards, regions: Regions
    ) -> Self:
        """Raises NotFound when the signing key has not been made yet."""
        keys = Keyring(lambda: verifying_keys(secrets))
        return cls(keys, Sessions(shards.control, valkey), regions)

    def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises Refused 401 (TOKEN_EXPIRED, TOKEN_INVALID, SESSION_ENDED) or 421 (WRONG_REGION),
        Retryable when the session can't be looked up.
        """
        outcome = self.verify_all([token])[0]
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def admit(self, token: str, address: str, scopes: Sequence[str], rates: CallRates) -> Principal:
        """Who calls over HTTP, from an address they may call from, within the limits of `rates`
        for a route that needs `scopes`. One round trip to Valkey.

        Raises as `verify` does, and Refused 403 (ADDRESS_NOT_ALLOWED) or 429 (TOO_MANY_REQUESTS).
        """
        now = self._wall()
        read = self._read(token, now)
        if isinstance(read, Refused):
            raise read
        require_address(read, address)
        takes = rates.of_caller(read, address, scopes)
        if read.session_id not in self._sessions.alive([read.session_id], now, takes):
            raise _ended()
        return read

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]:
        """Who each token speaks for, or why it is refused; the sessions are looked up together.
        Raises Retryable when they can't be."""
        now = self._wall()
        read = [self._read(token, now) for token in tokens]
        sessions = {each.session_id for each in read if isinstance(each, Principal)}
        alive = self._sessions.alive(list(sessions), now) if sessions else set()
        return [
            each if isinstance(each, Refused) or each.session_id in alive else _ended()
            for each in read
        ]

    def _read(self, token: str, now: datetime) -> Principal | Refused:
        """What the token says, of a user who is at home here."""
        try:
            try:
                principal = read_token(token, self._key_of(token), now)
            except Refused:
                claimed = unproven_region(token)
                if claimed is not None and self._regions.is_elsewhere(claimed):
                    self._regions.require_home(claimed)
                raise
            self._regions.require_home(principal.region)
        except Refused as refusal:
            return refusal
        return principal

    def _key_of(self, token: str) -> OKPKey:
        key = self._keys.key_of(token)
        if key is None:
            raise _never_ours()
        return key


def _never_ours() -> Refused:
    return Refused(401, "TOKEN_INVALID", "the token is not one of ours")


def _ended() -> Refused:
    return Refused(401, "SESSION_ENDED", "the session has ended; log in again")
