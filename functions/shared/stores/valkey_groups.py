"""A consumer group of Valkey as nothing but a position: all up to it is done.

Invariant: a position moves only from where its mover knows it to be, in one script, so it never
moves back. A reader that was stopped, and goes on when another has read and acknowledged in its
place, is refused.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import redis

EntryId = tuple[int, int]

# A function for scripts. Gives 1, or 0 when there is no such group there any more.
MOVE: Final = """
local function move(stream, name, from, to, read)
  for _, about in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #about, 2 do group[about[i]] = about[i + 1] end
    if group['name'] == name and group['last-delivered-id'] == from then
      redis.call('XGROUP', 'SETID', stream, name, to, 'ENTRIESREAD', read)
      return 1
    end
  end
  return 0
end
"""

_SEQUENCE_MOST: Final = 2**64 - 1


class Position(NamedTuple):
    """`at`: the last entry that is done. `newest`: the stream's. `read`: how many entries are done,
    as the group's lag counts them."""

    at: bytes
    newest: EntryId
    read: int


def entry_id(text: bytes) -> EntryId:
    milliseconds, _, sequence = text.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def create(client: redis.Redis, stream: str, group: str) -> bool:
    """At the stream's beginning; whether it was missing. Raises redis.RedisError."""
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
        return False
    return True


def position_of(client: redis.Redis, stream: str, group: str) -> Position:
    """Where a group is; makes one that is missing. Raises redis.RedisError."""
    create(client, stream, group)
    about: Any = client.xinfo_stream(stream)
    groups: Any = client.xinfo_groups(stream)
    (mine,) = [one for one in groups if one["name"].decode() == group]
    at, read = mine["last-delivered-id"], entries_read(mine, about)
    if mine["pending"]:
        at, read = _before_pending(client, stream, group, at, read)
    return Position(at, entry_id(about["last-generated-id"]), read)


def entries_read(group: Mapping[str, Any], stream: Mapping[str, Any]) -> int:
    """How many of a stream's entries its group has done with; of a new one, those that had been
    dropped before it was made."""
    read = group["entries-read"]
    return int(stream["entries-added"] - stream["length"] if read is None else read)


def _before_pending(
    client: redis.Redis, stream: str, group: str, at: bytes, read: int
) -> tuple[bytes, int]:
    """Moves a group that was read by XREADGROUP to before the oldest entry that it was given there
    and never acknowledged. Nobody would be given that one again otherwise."""
    pending: Any = client.xpending(stream, group)
    milliseconds, sequence = entry_id(pending["min"])
    before = (milliseconds, sequence - 1) if sequence else (milliseconds - 1, _SEQUENCE_MOST)
    at_least = b"%d-%d" % before
    read = max(0, read - count_between(client, stream, at_least, at))
    with client.pipeline(transaction=True) as both:  # made anew: it has nothing pending
        both.xgroup_destroy(stream, group)
        both.xgroup_create(stream, group, id=at_least, entries_read=read)
        both.execute()
    return at_least, read


def count_between(client: redis.Redis, stream: str, after: bytes, until: bytes) -> int:
    """How many entries there are. For what a reader had at hand, not for a whole stream."""
    found: Any = client.xrange(stream, min=b"(" + after, max=until)
    return len(found)
