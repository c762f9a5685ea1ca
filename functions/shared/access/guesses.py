"""How many wrong logins are borne, and how long the next has to wait.

Flow: before a password is looked at, a guess is taken from each of the caller's buckets; a login
that was right gives it back. Invariant: a guess is counted before it is judged, so that none of
many at once is free; from the bucket's `free`th on each wrong one doubles the wait, to at most
fifteen minutes (ASVS 5.0, 6.3.1), and a wait that is not over is not made longer by asking.

Whoever shows the token of a device that logged in before is in a bucket of that device alone. All
others share one for each account, and are in two more, of the account with their network and of
their network: so a stranger can slow strangers down, and never the owner on a known device. A user
name that nobody has is in the same buckets as any other. A bucket's key holds a digest, never a
name or an address. When Valkey is away nobody guesses (Retryable).
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from functions.shared.domain.errors import Refused, Retryable
from functions.shared.stores.valkey import Valkey, answering

_FIRST_WAIT_MS: Final = 1_000
_LONGEST_WAIT_MS: Final = 15 * 60 * 1_000

# A hash of `count` guesses as of `at`, which drain one in each ARGV[2] ms, and `free_at`, until
# when the next has to wait. ARGV[1]: how many are free; 'look' as ARGV[3] counts nothing. Returns
# milliseconds to wait. The server's clock is used, so that buckets agree whoever asks.
_GUESS: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'count', 'at', 'free_at')
local wait = tonumber(kept[3] or 0) - ms
if wait > 0 then return wait end
if ARGV[3] == 'look' then return 0 end
local free, drain = tonumber(ARGV[1]), tonumber(ARGV[2])
local count, at = tonumber(kept[1] or 0), tonumber(kept[2] or ms)
local drained = math.floor((ms - at) / drain)
if drained < count then at = at + drained * drain else at = ms end
count = math.max(count - drained, 0) + 1
wait = 0
if count >= free then
  wait = math.min(tonumber(ARGV[5]), tonumber(ARGV[4]) * 2 ^ math.min(count - free, 32))
end
redis.call('HSET', KEYS[1], 'count', count, 'at', at, 'free_at', ms + wait)
redis.call('PEXPIRE', KEYS[1], wait + count * drain)
return 0
"""
# One guess was right: it never counted. ARGV[1] as above: below it nobody has to wait.
_GIVE_BACK: Final = """
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or 0) - 1
if count <= 0 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'count', count)
if count < tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], 'free_at') end
return 0
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a kind of bucket bears: `free` guesses, of which one drains in `drain_ms`. One that is
    `forgiving` is emptied by a guess that was right; another takes back that guess alone, or a
    guesser could empty it by logging in as themselves."""

    name: str
    free: int
    drain_ms: int
    forgiving: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    patience: Patience
    subject: tuple[str, ...]

    @property
    def key(self) -> str:
        digest = hashlib.sha256("\x00".join(self.subject).encode()).hexdigest()[:32]
        return f"guesses:{self.patience.name}:{digest}"


@dataclass(frozen=True, slots=True)
class LoginPatience:
    """The buckets of a login. An account's drain slowly: two dozen guesses a day by all strangers
    together; a network's fast, as many people may be behind it."""

    account_free: int
    network_free: int

    def of_device(self, username: str, digest: bytes) -> list[Bucket]:
        """Of a device that logged in to that account before."""
        return [Bucket(self._of_account("device"), (username, digest.hex()))]

    def of_stranger(self, username: str, network: str) -> list[Bucket]:
        """Of anyone else."""
        return [
            Bucket(self._of_account("account"), (username,)),
            Bucket(self._of_account("account-network"), (username, network)),
            Bucket(Patience("network", self.network_free, 30_000, forgiving=False), (network,)),
        ]

    def _of_account(self, name: str) -> Patience:
        return Patience(name, self.account_free, 3_600_000, forgiving=True)


class Guesses:
    """The buckets in Valkey, each changed by one script."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def take(self, buckets: Sequence[Bucket]) -> None:
        """Takes a guess from each. Raises Refused 429 with the seconds to wait, and takes none
        then (of two at the same moment, one may leave a guess in a bucket); Retryable when Valkey
        is away."""
        steps: tuple[Literal["look", "take"], ...] = ("look", "take")
        for how in steps:
            wait = self._ask(buckets, how)
            if wait > 0:
                seconds = -(-wait // 1000)
                raise Refused(
                    429,
                    "TOO_MANY_REQUESTS",
                    f"too many wrong logins; wait {seconds} s",
                    retry_after_seconds=seconds,
                )

    def right(self, buckets: Sequence[Bucket]) -> None:
        """The guess was right. When Valkey is away it stays counted, and drains in time."""
        with contextlib.suppress(Retryable), answering():
            for bucket in buckets:
                if bucket.patience.forgiving:
                    self._valkey.delete(bucket.key)
                else:
                    self._valkey.eval(_GIVE_BACK, 1, bucket.key, bucket.patience.free)

    def _ask(self, buckets: Sequence[Bucket], how: Literal["look", "take"]) -> int:
        """The longest wait of all, in milliseconds, in one round trip."""
        with answering(), self._valkey.pipeline(transaction=False) as pipeline:
            for bucket in buckets:
                patience = bucket.patience
                pipeline.eval(
                    _GUESS, 1, bucket.key, patience.free, patience.drain_ms, how,
                    _FIRST_WAIT_MS, _LONGEST_WAIT_MS,
                )  # fmt: skip
            waits: list[int] = pipeline.execute()
        return max(waits)
