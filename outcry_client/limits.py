"""Every limit and pause of the stream's client. README.md lists them."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Given to the client when it is made, and fixed for its life."""

    open_seconds: float = 3.0
    stale_seconds: float = 1.5
    silence_seconds: float = 3.0
    closing_seconds: float = 1.0
    ping_seconds: float = 30.0
    keep_seconds: float = 1.0
    pause_seconds: float = 0.5
    pause_most_seconds: float = 10.0
    retry_after_most_seconds: float = 60.0
    resume_seconds: float = 5.0
    resumes: int = 3
    held_events: int = 1_000
    message_bytes: int = 1 << 20
    symbols_per_message: int = 200
    answer_seconds: float = 5.0
    answer_bytes: int = 4 * 1024 * 1024
    renew_seconds: float = 60.0


DEFAULTS = Limits()


def backoff(attempt: int, rng: random.Random, limits: Limits = DEFAULTS) -> float:
    """Seconds to wait before retry `attempt` (from 0): full jitter, so that a fleet spreads out."""
    most = min(limits.pause_most_seconds, limits.pause_seconds * 2 ** min(attempt, 10))
    return rng.uniform(0, most)
