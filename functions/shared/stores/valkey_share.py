"""How consumers divide a group's streams among themselves, in Valkey.

Invariant: a stream has one owner at a time, by Valkey's own clock, and only its owner's read takes
entries out or acknowledges them: both are scripts that look first. So a process that was stopped
past its time and goes on neither takes an entry nor loses one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

# The members by the time they are given up; each stream's owner, under a key that lapses with it.
# Streams go round the members in the order of their names. One that is another's is left to it
# until it lets go or lapses. KEYS: members, owners. ARGV: consumer, milliseconds.
_DIVIDE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local life = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + life, ARGV[1])
redis.call('PEXPIRE', KEYS[1], life)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
local rank = 0
for i, name in ipairs(members) do if name == ARGV[1] then rank = i - 1 end end
local mine = {}
for i = 2, #KEYS do
  local owner = redis.call('GET', KEYS[i])
  if (i - 2) % #members == rank then
    if not owner or owner == ARGV[1] then
      redis.call('SET', KEYS[i], ARGV[1], 'PX', life)
      mine[#mine + 1] = i - 2
    end
  elseif owner == ARGV[1] then
    redis.call('DEL', KEYS[i])
  end
end
return mine
"""

# KEYS: owners, then their streams. ARGV: consumer, group, count, the id to read after of each.
_READ: Final = """
local half = #KEYS / 2
for i = 1, half do
  if redis.call('GET', KEYS[i]) ~= ARGV[1] then
    return redis.error_reply('NOTOWNER ' .. KEYS[half + i] .. ' is another consumer by now')
  end
end
local read = {'XREADGROUP', 'GROUP', ARGV[2], ARGV[2], 'COUNT', ARGV[3], 'STREAMS'}
for i = 1, half do read[#read + 1] = KEYS[half + i] end
for i = 1, half do read[#read + 1] = ARGV[3 + i] end
return redis.call(unpack(read))
"""

# KEYS: owner, stream. ARGV: consumer, milliseconds, group, ids.
_ACKNOWLEDGE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
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
        self.mine: frozenset[str] = frozenset()

    def divide(self, streams: Sequence[str]) -> frozenset[str]:
        """Says that this consumer lives, and which streams are its own from now."""
        ordered = sorted(streams)
        keys = [f"members:{self._group}", *map(self._owner, ordered)]
        answer: Any = self._divide(keys=keys, args=[self._consumer, self._life_ms])
        self.mine = frozenset(ordered[int(number)] for number in answer)
        # What is another's now moves on without us.
        self._last = {name: last for name, last in self._last.items() if name in self.mine}
        return self.mine

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
        keys = [self._owner(stream), stream]
        for start in range(0, len(ids), _IDS_MOST):
            part = ids[start : start + _IDS_MOST]
            args: list[str | int] = [self._consumer, self._life_ms, self._group, *part]
            if not self._acknowledge(keys=keys, args=args):
                return False
        return True

    def _take(self, after: Mapping[str, str], count: int) -> list[Any]:
        keys = [*map(self._owner, after), *after]
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

    def _owner(self, stream: str) -> str:
        return f"owner:{self._group}:{stream}"


def _entry(entry_id: bytes, fields: "list[bytes] | None") -> tuple[bytes, dict[bytes, bytes]]:
    """An entry as redis-py gives those of XREADGROUP; one that was trimmed has no fields."""
    flat = fields or []
    return entry_id, dict(zip(flat[::2], flat[1::2], strict=True))
