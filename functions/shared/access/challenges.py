"""Challenges: what holds a login from a new device, network and country at once.

Invariant: the id is 256 random bits that only the device that asked is given, and the code six
digits that only the mailbox is; neither is stored, and the code's digest takes the id in, so that
nobody who reads the table can try the million codes.
"""

import hashlib
import secrets as entropy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LIFETIME: Final = timedelta(minutes=10)
#: identity.answer_challenge counts them.
TRIES: Final = 5
_BYTES: Final = 32
_CODES: Final = 10**6


@dataclass(frozen=True, slots=True, repr=False)
class Challenge:
    """Never logged: no `repr` shows it."""

    challenge_id: str
    code: str
    expires_at: datetime

    @property
    def digest(self) -> bytes:
        return challenge_digest(self.challenge_id)

    @property
    def code_digest(self) -> bytes:
        return code_digest(self.challenge_id, self.code)


def new_challenge(now: datetime) -> Challenge:
    code = f"{entropy.randbelow(_CODES):06}"
    return Challenge(entropy.token_urlsafe(_BYTES), code, now + LIFETIME)


def challenge_digest(challenge_id: str) -> bytes:
    return hashlib.sha256(challenge_id.encode()).digest()


def code_digest(challenge_id: str, code: str) -> bytes:
    """The two have fixed lengths, so that no other pair reads as the same text."""
    return hashlib.sha256(f"{challenge_id}.{code}".encode()).digest()
