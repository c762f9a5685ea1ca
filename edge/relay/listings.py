"""Hands the instrument master's changes on to the stream `listings`.

Invariant: a change is taken out of shard 0 after the stream holds it durably. It is handed on by
whoever drains shard 0; by two at a failover, which is no error (wire.listings).
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Record, Streams
from functions.shared.wire.listings import LISTINGS_STREAM, ListingChange, encode_listing_change

BATCH_MOST: Final = 500
#: A new listing is searchable within a second of it.
POLL_SECONDS: Final = 0.1


class Source(Protocol):
    """The changes of shard 0 (stores.listing_changes.ListingChanges)."""

    def read(self, most: int) -> list[ListingChange]: ...
    def take_out(self, changes: Sequence[ListingChange]) -> None: ...


class ListingsDrain:
    """`holding`: whether this process drains shard 0 now."""

    def __init__(self, source: Source, streams: Streams, holding: Callable[[], bool]) -> None:
        self._source = source
        self._streams = streams
        self._holding = holding

    def run(self, stop: threading.Event) -> None:
        """Drains until `stop`. Tries again with back-off while a store is away."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                full = self._holding() and self.drain_once() == BATCH_MOST
            except Retryable as error:
                logger(__name__).warning("listings wait", detail=str(error))
                if backoff.wait(stop):
                    return
                continue
            backoff.reset()
            if not full:
                stop.wait(POLL_SECONDS)

    def drain_once(self) -> int:
        """Hands on one batch and returns its size. Raises Retryable; then the batch stays."""
        changes = self._source.read(BATCH_MOST)
        if changes:
            records = [Record(str(c.token), encode_listing_change(c)) for c in changes]
            self._streams.append(LISTINGS_STREAM, records)
            self._source.take_out(changes)
        return len(changes)
