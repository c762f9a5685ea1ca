"""How consumers divide a group's streams among themselves, in Valkey.

Invariant: a stream has one owner at a time, by Valkey's own clock, and only its owner's read takes
entries out or acknowledges them: both are scripts that look first. So a process that was stopped
past its time and goes on neither takes an entry nor loses one. What ran out is its owner's still
until another takes it: one that was only slow goes on.
"""

from collections.abc import Sequence
from typing import Any, Final

import redis

# The members, by the time they are given up. Of each stream (a field of its own) the owner, and
# until when nobody else may take it. Streams go round the members in the order of their names.
# Answers the numbers of what is the consumer's, and of each whether it was already (1) or is anew.
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
local mine = {}
for i = 3, #ARGV do
  local owner = redis.call('HGET', KEYS[2], ARGV[i])
  local ends = tonumber(redis.call('HGET', KEYS[2], ARGV[i] .. ' until')) or 0
  if (i - 3) % #members == rank then
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

# KEYS: owners, streams. ARGV: consumer, group, count, the id to read after of each.
_READ: Final = """
local read = {'XREADGROUP', 'GROUP', ARGV[2], ARGV[2], 'COUNT', ARGV[3], 'STREAMS'}
for i = 2, #KEYS do
  if redis.call('HGET', KEYS[1], KEYS[i]) ~= ARGV[1] then
    return redis.error_reply('NOTOWNER ' .. KEYS[i] .. ' is another consumer by now')
  end
  read[#read + 1] = KEYS[i]
end
for i = 4, #ARGV do read[#read + 1] = ARGV[i] end
return redis.call(unpack(read))
"""

# KEYS: owners, stream. ARGV: consumer, milliseconds, group, ids.
_ACKNOWLEDGE: Final = """
if redis.call('HGET', KEYS[1], KEYS[2]) ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], KEYS[2] .. ' until', now + tonumber(ARGV[2]))
local ack = {'XACK', KEYS[2]}
for i = 3, #ARGV do ack[#ack + 1] = ARGV[i] end
redis.call(unpack(ack))
return 1
"""

# What Valkey's Lua unpacks at once.
_IDS_MOST: Final = 1_000


class ValkeyShare:
    """One consumer's share of a group's streams. For one thread. Raises redis.RedisError."""

    def __init__(self, client: redis.Redis, group: str, consumer: str, life_seconds: float) -> None:
        self._client = client
        self._group = group
        self._consumer = consumer
        self._life_ms = int(life_seconds * 1000)
        self._divide = client.register_script(_DIVIDE)
        self._read = client.register_script(_READ)
        self._acknowledge = client.register_script(_ACKNOWLEDGE)
        self._last: dict[str, str] = {}
        self._owners = f"owners:{group}"
        self.mine: frozenset[str] = frozenset()

    def divide(self, streams: Sequence[str]) -> frozenset[str]:
        """Says that this consumer lives; gives those of its streams that are its own anew."""
        ordered = sorted(streams)
        keys = [f"members:{self._group}", self._owners]
        answer: Any = self._divide(keys=keys, args=[self._consumer, self._life_ms, *ordered])
        kept = {ordered[number]: bool(was) for number, was in zip(*[iter(answer)] * 2, strict=True)}
        self.mine = frozenset(kept)
        # What was another's moved on without us.
        self._last = {name: last for name, last in self._last.items() if kept.get(name)}
        return frozenset(name for name, was in kept.items() if not was)

    def read(self, after: dict[str, str], count: int, block_ms: int) -> list[Any]:
        """As XREADGROUP answers, or nothing when nothing came within `block_ms`."""
        answer = self._take(after, count)
        if answer or any(position != ">" for position in after.values()):
            return answer
        # A script can't wait, and XREADGROUP would take what it finds, ours or not: so this only
        # looks, and the script takes.
        seen: dict[Any, Any] = {stream: self._last_taken(stream) for stream in after}
        if not self._client.xread(seen, count=1, block=block_ms):
            return []
        return self._take(after, count)

    def acknowledge(self, stream: str, ids: Sequence[str]) -> bool:
        """False when the stream is another's by now; then nothing was acknowledged."""
        keys = [self._owners, stream]
        for start in range(0, len(ids), _IDS_MOST):
            part = ids[start : start + _IDS_MOST]
            args: list[str | int] = [self._consumer, self._life_ms, self._group, *part]
            if not self._acknowledge(keys=keys, args=args):
                return False
        return True

    def _take(self, after: dict[str, str], count: int) -> list[Any]:
        keys = [self._owners, *after]
        args: list[str | int] = [self._consumer, self._group, count, *after.values()]
        answer: Any = self._read(keys=keys, args=args) or []
        for name, entries in answer:
            if entries and after[name.decode()] == ">":
                self._last[name.decode()] = entries[-1][0].decode()
        return [(name, [_entry(*entry) for entry in entries]) for name, entries in answer]

    def _last_taken(self, stream: str) -> str:
        """The newest id that the group was given, by this consumer or one before it."""
        if stream not in self._last:
            groups: Any = self._client.xinfo_groups(stream)
            (mine,) = [one for one in groups if one["name"].decode() == self._group]
            self._last[stream] = mine["last-delivered-id"].decode()
        return self._last[stream]


def _entry(entry_id: bytes, fields: "list[bytes] | None") -> tuple[bytes, dict[bytes, bytes]]:
    """An entry as redis-py gives those of XREADGROUP; one that was trimmed has no fields."""
    flat = fields or []
    return entry_id, dict(zip(flat[::2], flat[1::2], strict=True))
