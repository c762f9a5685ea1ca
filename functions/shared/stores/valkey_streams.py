"""Valkey's streams as a bus (stores.streams says what every bus promises).

Reading writes nothing, so it costs no disk write: the reader asks for what comes after the last
entry it fetched, and a consumer group holds nothing but a position, which moves on when work is
acknowledged. Invariant: everything beyond that position is delivered again to whoever reads next.
A command has several streams for its keys, so the server is one that is not in cluster mode.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.domain.errors import Retryable
from functions.shared.stores.stream_records import (
    LIMITS,
    Ahead,
    Delivered,
    Lag,
    Limits,
    Record,
    check_sizes,
)
from functions.shared.stores.valkey_groups import (
    MOVE,
    EntryId,
    count_between,
    create,
    entries_read,
    entry_id,
    position_of,
)
from functions.shared.stores.valkey_share import ValkeyShare

_BLOCK_MOST_MS = 2_000
_TRIM_EVERY_SECONDS = 1.0
_LOOK_RECORDS = 1_000

# All records of an append in one command: one trip, one transaction in the server's log, and a
# tenth of the client's time that a command for each record takes.
# KEYS: streams. ARGV: the most entries of a stream, then of each record the number of its stream,
# its key and its data.
_APPEND: Final = """
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], 'MAXLEN', '~', ARGV[1], '*',
    'k', ARGV[i + 1], 'd', ARGV[i + 2])
end
"""

# KEYS: stream. ARGV: group, where it is, where it is to be, entries read until there.
_MOVE: Final = MOVE + "return move(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])"


@dataclass(slots=True)
class _Place:
    """Where this process reads a stream for a group.

    `after`: the last entry fetched. Entries up to `known` may have been another reader's before.
    `done`: the group's position, and `read` how many entries it has done with until there.
    """

    after: bytes
    known: EntryId
    done: bytes
    read: int


class ValkeyStreams:
    """Valkey streams. Appending is safe from any thread; reading belongs to one thread."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = LIMITS,
    ) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=limits.append_seconds,
            socket_connect_timeout=limits.append_seconds,
            # An append that was cut off may have happened: whether to repeat it is the caller's.
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # the shapes read below are RESP2's
        )
        self._clock = clock
        self.limits = limits
        self._append = self._client.register_script(_APPEND)
        self._move_on = self._client.register_script(_MOVE)
        self._ahead = Ahead(limits.batch_bytes)
        self._places: dict[tuple[str, str], _Place] = {}
        self._shares: dict[str, ValkeyShare] = {}
        self._trim_at: dict[str, float] = {}

    def append(self, stream: str, records: Sequence[Record]) -> None:
        self.append_each({stream: records})

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        streams = [stream for stream, records in batches.items() if records]
        if not streams:
            return
        arguments: list[Any] = [self.limits.entries]
        for number, stream in enumerate(streams, start=1):
            check_sizes(stream, batches[stream])
            for record in batches[stream]:
                arguments += (number, record.key, record.data)
        with _translated(f"append to {','.join(streams)}"):
            self._append(keys=streams, args=arguments)

    def divide(self, streams: Sequence[str], group: str, consumer: str) -> frozenset[str]:
        share = self._shares.get(group)
        if share is None:
            life = self.limits.takeover_seconds
            share = ValkeyShare(self._client, group, consumer, life, self._clock)
            self._shares[group] = share
        with _translated(f"divide {group}"):
            before, new = share.mine, share.divide(streams)
        for stream in (before - share.mine) | new:
            self._forget(stream, group)
        return share.mine - (before & new)

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        if not 0 < block_ms <= _BLOCK_MOST_MS:
            raise ValueError(f"block_ms is 1 to {_BLOCK_MOST_MS}, below the socket's time-out")
        if not streams:
            return []
        waiting = self._ahead.take(streams, count)
        if waiting:
            return waiting
        try:
            self._fetch(streams, group, count, block_ms)
        except Retryable:
            # The server may come back with less than it had, or is not ours to read any more.
            for stream in streams:
                self._forget(stream, group)
            raise
        return self._ahead.take(streams, count)

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        try:
            with _translated(f"acknowledge on {stream}"):
                self._move(stream, group, ids)
                now = self._clock()
                if now >= self._trim_at.get(stream, 0.0):
                    self._trim_at[stream] = now + _TRIM_EVERY_SECONDS
                    self._trim(stream)
        except Retryable:
            self._forget(stream, group)
            raise

    def lag(self, stream: str, group: str) -> Lag:
        with _translated(f"lag of {stream}"):
            try:
                about = self._client.xinfo_stream(stream)
                groups = self._client.xinfo_groups(stream)
            except redis.ResponseError:  # no such stream yet
                return Lag(records=0)
        mine = next((one for one in groups if one["name"].decode() == group), None)
        if mine is None or mine["last-delivered-id"] == about["last-generated-id"]:
            return Lag(records=0)
        # What was dropped before the group came to it is in the difference, and gone.
        behind = about["entries-added"] - entries_read(mine, about)
        return Lag(records=max(0, min(behind, about["length"])))

    def look(self, stream: str) -> Iterator[Delivered]:
        after = "-"
        while True:
            with _translated(f"look at {stream}"):
                page: Any = self._client.xrange(stream, min=after, count=_LOOK_RECORDS)
            if not page:
                return
            yield from (_delivered(number, fields, False) for number, fields in page)
            after = f"({page[-1][0].decode()}"

    def close(self) -> None:
        self._client.close()

    def _fetch(self, streams: Sequence[str], group: str, count: int, block_ms: int) -> None:
        """Puts what is there, or comes within `block_ms`, behind what was fetched before."""
        share = self._shares.get(group)
        with _translated(f"read {','.join(streams)}"):
            places = {stream: self._place(stream, group) for stream in streams}
            after: dict[Any, Any] = {stream: place.after for stream, place in places.items()}
            answer: Any = (
                self._client.xread(after, count=count, block=block_ms)
                if share is None
                else share.read(after, count, block_ms)
            )
        for name, entries in answer:
            stream = name.decode()
            place = places[stream]
            self._ahead.add(
                stream,
                [
                    _delivered(number, fields, entry_id(number) <= place.known)
                    for number, fields in entries
                ],
            )
            place.after = entries[-1][0]

    def _move(self, stream: str, group: str, ids: Sequence[str]) -> None:
        """Moves the group on to the last of these. Where it is beyond them it stays, and that is
        no failure: an answer that was lost, or another reader, has said the same before."""
        last = ids[-1].encode()
        if (stream, group) not in self._places and create(self._client, stream, group):
            return  # the server has lost what it gave, and these mean nothing to it now
        place = self._place(stream, group)
        # Given before the place was forgotten: not to be fetched again.
        passed = entry_id(last) > entry_id(place.after)
        if passed and entry_id(last) > place.known:
            return  # lost, too
        read = place.read
        if passed:
            read += count_between(self._client, stream, place.done, last)
        else:
            read += sum(entry_id(one.encode()) > entry_id(place.done) for one in ids)
        done = max(last, place.done, key=entry_id)
        share = self._shares.get(group)
        moved = (
            self._move_on(keys=[stream], args=[group, place.done, done, read])
            if share is None
            else share.acknowledge(stream, place.done, done, read)
        )
        if not moved:
            raise Retryable(f"{stream} is another consumer's by now")
        place.done, place.read = done, read
        if passed:
            place.after = done
            self._ahead.drop(stream)

    def _forget(self, stream: str, group: str) -> None:
        """The next read here, or its next owner, begins at the group's position."""
        self._places.pop((stream, group), None)
        self._ahead.drop(stream)

    def _place(self, stream: str, group: str) -> _Place:
        place = self._places.get((stream, group))
        if place is None:
            at, newest, read = position_of(self._client, stream, group)
            place = self._places[stream, group] = _Place(at, newest, at, read)
        return place

    def _trim(self, stream: str) -> None:
        """Drops what every group has acknowledged."""
        positions = [group["last-delivered-id"] for group in self._client.xinfo_groups(stream)]
        if positions:
            oldest = min(positions, key=entry_id).decode()
            self._client.xtrim(stream, minid=oldest, approximate=True)


def _delivered(number: bytes, fields: Mapping[bytes, bytes], redelivered: bool) -> Delivered:
    at_ms, _ = entry_id(number)
    return Delivered(number.decode(), fields[b"k"].decode(), fields[b"d"], redelivered, at_ms)


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Retryable(f"{doing}: {error}") from error
