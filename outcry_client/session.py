"""The signed-in session: its tokens, and the one place that refreshes them.

Invariant: at most one refresh is under way; whoever needs a token meanwhile waits for that one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from outcry_client.errors import SignedOutError
from outcry_client.limits import DEFAULTS


class Tokens(Protocol):
    """The answer to a sign-in or a refresh; `expires_in` is in seconds."""

    @property
    def access_token(self) -> str: ...

    @property
    def expires_in(self) -> int: ...

    @property
    def refresh_token(self) -> str: ...


class Session:
    """Hands out an access token that is good now, renewing it `renew_seconds` before it runs out,
    or after four fifths of a shorter life."""

    def __init__(
        self,
        refresh: Callable[[str], Awaitable[Tokens]],
        monotonic: Callable[[], float] = time.monotonic,
        renew_seconds: float = DEFAULTS.renew_seconds,
    ) -> None:
        self._renew_seconds = renew_seconds
        self._refresh = refresh
        self._monotonic = monotonic
        self._tokens: Tokens | None = None
        self._renew_at = 0.0
        self._renewal = asyncio.Lock()

    def begin(self, tokens: Tokens) -> None:
        """Keep the tokens of a sign-in or a refresh."""
        life = float(tokens.expires_in)
        self._tokens = tokens
        self._renew_at = self._monotonic() + max(life - self._renew_seconds, life * 0.8)

    def end(self) -> None:
        """Forget the tokens."""
        self._tokens = None

    async def bearer(self) -> str:
        """Return an access token. Raises SignedOutError when there is none to be had."""
        if self._tokens is None:
            raise SignedOutError("not signed in")
        if self._monotonic() >= self._renew_at:
            await self.renew(self._tokens.access_token)
        return self._tokens.access_token

    async def renew(self, refused: str) -> None:
        """Replace the access token `refused` unless another caller has already done so."""
        async with self._renewal:
            if self._tokens is None:
                raise SignedOutError("not signed in")
            if self._tokens.access_token == refused:
                self.begin(await self._refresh(self._tokens.refresh_token))
