"""The one check of a bearer: every function, the authorizer and the stream ask it.

Invariant: a token counts only if we signed it, it has not expired, and its session has not ended.
When no store can tell whether the session has ended, nobody is let in.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Self

from joserfc.jwk import OKPKey

from functions.shared.access.keys import verifying_key
from functions.shared.access.principal import Principal
from functions.shared.access.sessions import Sessions
from functions.shared.access.tokens import read_token
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets
from functions.shared.stores.valkey import Valkey


class Verifier:
    """Not for two threads at once: it uses shard 0's connection."""

    def __init__(
        self, key: OKPKey, sessions: Sessions, wall: Callable[[], datetime] = wall_now
    ) -> None:
        self._key = key
        self._sessions = sessions
        self._wall = wall

    @classmethod
    def from_stores(cls, secrets: Secrets, valkey: Valkey, shards: Shards) -> Self:
        """Raises NotFound when the signing key has not been made yet."""
        return cls(verifying_key(secrets), Sessions(shards.control, valkey))

    def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises Refused 401 (TOKEN_EXPIRED, TOKEN_INVALID, SESSION_ENDED), Retryable when the
        session can't be looked up.
        """
        now = self._wall()
        principal = read_token(token, self._key, now)
        if not self._sessions.is_alive(principal.session_id, now):
            raise Refused(401, "SESSION_ENDED", "the session has ended; log in again")
        return principal
