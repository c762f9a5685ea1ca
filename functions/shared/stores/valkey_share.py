"""How consumers divide a group's streams among themselves, in Valkey.

Invariant: a stream has one owner at a time, by Valkey's own clock, and only its owner is given
entries or moves the group on: both are scripts that look first. So a process that was stopped past
its time and goes on neither works an entry nor loses one. What ran out is its owner's still until
another takes it: one that was only slow goes on. A stream that was given up, or whose owner died,
is taken within a step of those that it falls to.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import redis

from functions.shared.stores.valkey_groups import MOVE

# The members, by the time they are given up. Of each stream (a field of its own) the owner, and
# until when nobody else may take it. Streams go round the members in the order of their names.
# Answers how many fall to the consumer, in how many milliseconds the next member is given up, then
# the numbers of what is the consumer's, and of each whether it was already (1) or is anew.
# KEYS: members, owners. ARGV: consumer, milliseconds, streams.
_DIVIDE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local me, life = ARGV[1], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + life, me)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
local rank = 0
for i, name in ipairs(members) do if name == me then rank = i - 1 end end
local soonest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local mine = {0, soonest - now}
for i = 3, #ARGV do
  local owner = redis.call('HGET', KEYS[2], ARGV[i])
  local ends = tonumber(redis.call('HGET', KEYS[2], ARGV[i] .. ' until')) or 0
  if (i - 3) % #members == rank then
    mine[1] = mine[1] + 1
    if owner == me or not owner or ends <= now then
      redis.call('HSET', KEYS[2], ARGV[i], me, ARGV[i] .. ' until', now + life)
      mine[#mine + 1] = i - 3
      mine[#mine + 1] = owner == me and 1 or 0
    end
  elseif owner == me then
    redis.call('HDEL', KEYS[2], ARGV[i], ARGV[i] .. ' until')
  end
end
return mine
"""

# KEYS: owners, streams. ARGV: consumer, count, the id to read after of each.
_READ: Final = """
for i = 2, #KEYS do
  if redis.call('HGET', KEYS[1], KEYS[i]) ~= ARGV[1] then
    return redis.error_reply('NOTOWNER ' .. KEYS[i] .. ' is another consumer by now')
  end
end
local read = {'XREAD', 'COUNT', ARGV[2], 'STREAMS'}
for i = 2, #KEYS do read[#read + 1] = KEYS[i] end
for i = 3, #ARGV do read[#read + 1] = ARGV[i] end
return redis.call(unpack(read))
"""

# KEYS: owners, stream. ARGV: consumer, milliseconds, group, where it is, where it is to be, entries
# read until there.
_ACKNOWLEDGE: Final = (
    MOVE
    + """
if redis.call('HGET', KEYS[1], KEYS[2]) ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], KEYS[2] .. ' until', now + tonumber(ARGV[2]))
return move(KEYS[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
"""
)

#: How often, in its life, a consumer says that it lives: each time is a write to the disk.
_TIMES_A_LIFE: Final = 4
#: And while something that falls to it is not its own yet.
_WAITING_SECONDS: Final = 0.1


class ValkeyShare:
    """One consumer's share of a group's streams. For one thread. Raises redis.RedisError."""

    def __init__(
        self,
        client: redis.Redis,
        group: str,
        consumer: str,
        life_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._group = group
        self._consumer = consumer
        self._life_ms = int(life_seconds * 1000)
        self._every_seconds = life_seconds / _TIMES_A_LIFE
        self._monotonic = monotonic
        self._due_at = float("-inf")
        self._divided: list[str] = []
        self._divide = client.register_script(_DIVIDE)
        self._read = client.register_script(_READ)
        self._acknowledge = client.register_script(_ACKNOWLEDGE)
        self._owners = f"owners:{group}"
        self.mine: frozenset[str] = frozenset()

    def divide(self, streams: Sequence[str]) -> frozenset[str]:
        """Says, when it is time again, that this consumer lives; gives those of its streams that
        are its own anew."""
        ordered, now = sorted(streams), self._monotonic()
        if ordered == self._divided and now < self._due_at:
            return frozenset()
        keys = [f"members:{self._group}", self._owners]
        answer: Any = self._divide(keys=keys, args=[self._consumer, self._life_ms, *ordered])
        fair, soonest_ms, *pairs = answer
        kept = {ordered[number]: bool(was) for number, was in zip(*[iter(pairs)] * 2, strict=True)}
        self.mine = frozenset(kept)
        pause = min(self._every_seconds, soonest_ms / 1000)
        if len(kept) < fair:
            pause = min(pause, _WAITING_SECONDS)
        self._divided, self._due_at = ordered, now + pause
        return frozenset(name for name, was in kept.items() if not was)

    def read(self, after: Mapping[Any, Any], count: int, block_ms: int) -> list[Any]:
        """As XREAD answers, or nothing when nothing came within `block_ms`."""
        answer = self._look(after, count)
        if answer:
            return answer
        # A script can't wait, and what this finds may be another's by then: so it is looked up
        # again.
        if not self._client.xread(dict(after), count=1, block=block_ms):
            return []
        return self._look(after, count)

    def acknowledge(self, stream: str, done: bytes, last: bytes, read: int) -> bool:
        """Moves the group from `done` to `last`. False when the stream is another's by now, or the
        group elsewhere; then nothing was acknowledged."""
        args: list[Any] = [self._consumer, self._life_ms, self._group, done, last, read]
        if self._acknowledge(keys=[self._owners, stream], args=args):
            return True
        self._divided = []
        return False

    def _look(self, after: Mapping[Any, Any], count: int) -> list[Any]:
        args: list[Any] = [self._consumer, count, *after.values()]
        try:
            answer: Any = self._read(keys=[self._owners, *after], args=args) or []
        except redis.RedisError:
            self._divided = []
            raise
        return [(name, [_entry(*entry) for entry in entries]) for name, entries in answer]


def _entry(entry_id: bytes, fields: list[bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """An entry as redis-py gives those of XREAD."""
    return entry_id, dict(zip(fields[::2], fields[1::2], strict=True))
