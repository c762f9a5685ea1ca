"""Rate limits: token buckets in Valkey, one script call each.

Invariant: a bucket's name holds a digest, never a user name or an address. When Valkey is away a
guarded door stays shut (Retryable), and a public read that guards nothing may pass instead
(`fails_open`). What guesses at a password costs is another matter: guesses.py.
"""

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from functions.shared.access.addresses import parse_address
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.stores.valkey import Pipeline, Valkey, answering

# The server's own clock is used, so that buckets agree whoever asks. Returns milliseconds to wait.
_TAKE: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local size, every = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or ms)
if full_at < ms then full_at = ms end
local wait = full_at + every - (ms + size * every)
if wait > 0 then return wait end
redis.call('SET', KEYS[1], full_at + every, 'PX', size * every)
return 0
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of `size` that gains one every `every_ms` milliseconds."""

    name: str
    size: int
    every_ms: int
    fails_open: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """One to be taken from the bucket of a limit and a subject."""

    limit: Limit
    subject: str

    def ask(self, pipeline: Pipeline) -> None:
        """Adds the question to what a pipeline asks; its answer is a wait (refuse_waiting)."""
        bucket = _bucket(self.limit, (self.subject,))
        pipeline.eval(_TAKE, 1, bucket, self.limit.size, self.limit.every_ms)


#: Searches by one address.
SEARCH: Final = Limit("search", 60, 100, fails_open=True)


class Throttle:
    """Buckets by limit and subject."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def take(self, limit: Limit, *subject: str) -> None:
        """Takes one. Raises Refused 429 with the seconds to wait, Retryable when Valkey is away
        and the limit does not fail open."""
        try:
            with answering():
                wait = cast(
                    int,
                    self._valkey.eval(
                        _TAKE, 1, _bucket(limit, subject), limit.size, limit.every_ms
                    ),
                )
        except Retryable:
            if limit.fails_open:
                return
            raise
        refuse_waiting([wait])


def refuse_waiting(waits: Iterable[int]) -> None:
    """Raises Refused 429 when one of the buckets was empty. Waits are milliseconds, 0: taken."""
    wait = max(waits, default=0)
    if wait > 0:
        seconds = -(-wait // 1000)
        raise Refused(
            429,
            "TOO_MANY_REQUESTS",
            f"too many requests; wait {seconds} s",
            retry_after_seconds=seconds,
        )


def network_of(address: str) -> str:
    """What one subscriber is: an IPv4 address, or the /64 that IPv6 hands out to each."""
    parsed = parse_address(address)
    if parsed is None:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _bucket(limit: Limit, subject: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\x00".join(subject).encode()).hexdigest()[:32]
    return f"rate:{limit.name}:{digest}"
