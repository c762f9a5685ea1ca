"""The public keys that tokens are checked by, as they are now.

Invariant: a key that was taken off the list counts for nothing KEEP_SECONDS later, in a process of
any age; one that was put on it counts at once, because a token that no known key made has the list
read again, though never more than once in REREAD_SECONDS, however many such tokens come.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from joserfc.jwk import OKPKey

from functions.shared.access.tokens import is_headed_for

REREAD_SECONDS: Final = 5.0
KEEP_SECONDS: Final = 600.0


class Keyring:
    """Not for two threads at once."""

    def __init__(
        self,
        read: Callable[[], Sequence[OKPKey]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises what `read` does: NotFound before the keys were made, Retryable."""
        self._read, self._monotonic = read, monotonic
        self._keys = read()
        self._read_at = monotonic()

    def key_of(self, token: str) -> OKPKey | None:
        """The key that the token says it was signed with; None when it is none of ours. Raises
        Retryable when the list should be read and can't be."""
        found, age = self._find(token), self._monotonic() - self._read_at
        if age >= KEEP_SECONDS or (found is None and age >= REREAD_SECONDS):
            self._read_at += age
            self._keys = self._read()
            found = self._find(token)
        return found

    def _find(self, token: str) -> OKPKey | None:
        return next((key for key in self._keys if is_headed_for(token, key)), None)
