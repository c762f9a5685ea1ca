"""Where ingest's batches go: the quote cache and its channels in Valkey, guarded by its lease.

Invariant: nothing that an earlier holder of the feed still writes is taken once a later one has
written, and the later one's first prices are not older than the earlier one's last: each hash slot
keeps the highest fence that wrote to it and the venue's time up to which it had read, and a script
compares both and writes in one step. One pipeline a batch and server, one script a partition, all
its keys and its channel in one slot, so that the same commands run on a cluster. Valkey holds last
values only and may be lost at any time; the next batches fill it again.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from functions.shared.domain.errors import Fenced, Retryable
from functions.shared.stores.quote_servers import ScriptCall, ScriptServers
from functions.shared.stores.valkey_slots import slot_of
from functions.shared.wire.announcements import (
    NEWS_CHANNEL,
    MarketNews,
    announcement_key,
    encode_news,
)
from functions.shared.wire.day_figures import (
    LIFE_SECONDS,
    DayFigures,
    day_figures_key,
    encode_day_figures,
)
from functions.shared.wire.feed_state import (
    FEED_CHANNEL,
    FEED_KEY,
    FEED_TAG,
    LIFE_MS,
    FeedState,
    encode_feed_state,
)
from functions.shared.wire.quotes import (
    PARTITIONS,
    encode_batch,
    encode_value,
    partition_of_symbol,
    partition_tag,
    quote_key,
    quotes_channel,
)

TIMEOUT_SECONDS = 2.0

#: KEYS: the slot's guard, then those to set, the lasting ones first. ARGV: fence, venue's time
#: read, whether to write though the last holder had read further, lasting keys, life of the others
#: in ms, channel, payload, and the values.
_GUARDED: Final = """
local held = redis.call('HMGET', KEYS[1], 'fence', 'seen')
local fence, seen = tonumber(ARGV[1]), tonumber(ARGV[2])
if held[1] then
  local known = tonumber(held[1])
  if known > fence then return -1 end
  if known < fence and ARGV[3] == '0' and tonumber(held[2]) > seen then return 0 end
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'seen', ARGV[2])
local lasting, stored, n = tonumber(ARGV[4]), {}, 0
for i = 1, lasting do
  stored[n + 1], stored[n + 2], n = KEYS[i + 1], ARGV[i + 7], n + 2
end
if n > 0 then redis.call('MSET', unpack(stored)) end
for i = lasting + 1, #KEYS - 1 do
  redis.call('SET', KEYS[i + 1], ARGV[i + 7], 'PX', ARGV[5])
end
if ARGV[6] ~= '' then redis.call('SPUBLISH', ARGV[6], ARGV[7]) end
return 1
"""
_FENCED, _BEHIND = -1, 0
#: The feed's state is no partition's.
FEED: Final = -1
_TAGS: Final = {FEED: FEED_TAG, **{number: partition_tag(number) for number in range(PARTITIONS)}}
_SLOTS: Final = {number: slot_of(tag) for number, tag in _TAGS.items()}
#: Lua unpacks no more than about 8,000 values at once.
_SYMBOLS_A_CALL: Final = 1_000


class Holder(NamedTuple):
    """Who writes: the fence of its lease, by partition the venue's time in ms up to which its book
    is whole, and whether it `insists` on writing though the last holder had read further. By the
    default nobody's lease is known, as before the first one was taken."""

    fence: int = 0
    seen_ms: Mapping[int, int] = MappingProxyType({})
    insists: bool = False


class Taken(NamedTuple):
    """The partitions (or FEED) that did not take what was theirs: `behind` because their last
    holder had read further, `lost` because their node was away or their slot was moving."""

    behind: frozenset[int]
    lost: frozenset[int]


class _Call(NamedTuple):
    """One run of the script."""

    partition: int
    keys: list[str]
    arguments: list[Any]


class QuoteWriter:
    """One batch at a time to a server or a cluster; it connects when first used."""

    def __init__(self, url: str) -> None:
        self._servers = ScriptServers(url, _GUARDED, TIMEOUT_SECONDS)

    async def write(
        self,
        batch: Mapping[int, Sequence[tuple[str, bytes]]],
        published_us: int,
        announced: Mapping[str, bytes] | None = None,
        news: Sequence[MarketNews] = (),
        *,
        days: Mapping[str, DayFigures] | None = None,
        day: date | None = None,
        feed: FeedState | None = None,
        holder: Holder | None = None,
        without: Set[int] = frozenset(),
    ) -> Taken:
        """Stores and publishes (symbol, record) pairs by partition; stores what was `announced`
        and each symbol's figures of that `day`, and tells the `news` and the `feed`'s state. What
        is of the partitions (or FEED) in `without` is left out.

        Raises Fenced when a later holder has written, Retryable when nothing at all got through;
        the caller sends later values instead.
        """
        who = holder or Holder()
        calls = list(_batch_calls(who, batch, published_us))
        calls += _announcing_calls(who, announced or {})
        if day is not None:
            calls += _day_calls(who, days or {}, day)
        if feed is not None:
            state = encode_feed_state(feed)
            calls.append(_call(who, FEED, {}, {FEED_KEY: state}, LIFE_MS, (FEED_CHANNEL, state)))
        if news:
            calls.append(_call(who, FEED, {}, {}, 0, (NEWS_CHANNEL, encode_news(news))))
        calls = [call for call in calls if call.partition not in without] if without else calls
        answers = await self._servers.run(
            [ScriptCall(_SLOTS[call.partition], call.keys, call.arguments) for call in calls]
        )
        if _FENCED in answers:
            raise Fenced("another ingest has written quotes since")
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if errors and len(errors) == len(calls):
            raise Retryable(f"the quote cache did not take a batch: {errors[0]}") from errors[0]
        told = [(call.partition, answer) for call, answer in zip(calls, answers, strict=True)]
        return Taken(
            frozenset(partition for partition, answer in told if answer == _BEHIND),
            frozenset(partition for partition, answer in told if isinstance(answer, Exception)),
        )

    async def close(self) -> None:
        await self._servers.close()


def _batch_calls(
    who: Holder, batch: Mapping[int, Sequence[tuple[str, bytes]]], published_us: int
) -> Iterator[_Call]:
    for partition, pairs in batch.items():
        for start in range(0, len(pairs), _SYMBOLS_A_CALL):
            piece = pairs[start : start + _SYMBOLS_A_CALL]
            values = {quote_key(symbol): encode_value(record) for symbol, record in piece}
            payload = encode_batch(partition, published_us, (record for _, record in piece))
            yield _call(who, partition, values, {}, 0, (quotes_channel(partition), payload))


def _announcing_calls(who: Holder, announced: Mapping[str, bytes]) -> Iterator[_Call]:
    by_partition: dict[int, dict[str, bytes]] = {}
    for symbol, value in announced.items():
        values = by_partition.setdefault(partition_of_symbol(symbol), {})
        values[announcement_key(symbol)] = value
    for partition, values in by_partition.items():
        yield _call(who, partition, values, {}, 0)


def _day_calls(who: Holder, days: Mapping[str, DayFigures], day: date) -> Iterator[_Call]:
    by_partition: dict[int, dict[str, bytes]] = {}
    for symbol, figures in days.items():
        values = by_partition.setdefault(partition_of_symbol(symbol), {})
        values[day_figures_key(symbol, day)] = encode_day_figures(figures)
    for partition, values in by_partition.items():
        yield _call(who, partition, {}, values, LIFE_SECONDS * 1000)


def _call(
    who: Holder,
    partition: int,
    lasting: Mapping[str, bytes],
    passing: Mapping[str, bytes],
    life_ms: int,
    told: tuple[str, bytes] = ("", b""),
) -> _Call:
    guarded = [who.fence, who.seen_ms.get(partition, 0), int(who.insists)]
    arguments = [*guarded, len(lasting), life_ms, *told]
    return _Call(
        partition,
        [f"holder:{_TAGS[partition]}", *lasting, *passing],
        [*arguments, *lasting.values(), *passing.values()],
    )
