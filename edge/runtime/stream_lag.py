"""How far a process is behind on the streams it reads, as metrics.

Invariant: only streams that are this process's own are told of; one that became another's is told
there. What the bus can't tell is left out rather than told as nothing.
"""

import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge

from functions.shared.stores.streams import Streams

LOOK_SECONDS = 5.0


class StreamLag:
    """One group's lag. For the thread that reads: it looks between two reads, now and then."""

    def __init__(
        self,
        streams: Streams,
        group: str,
        registry: CollectorRegistry,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._group = group
        self._monotonic = monotonic
        self._look_at = float("-inf")
        labels = ("group", "stream")
        self._records = Gauge(
            "outcry_stream_lag_records",
            "records of the stream that the group has not acknowledged",
            labels,
            registry=registry,
        )
        self._seconds = Gauge(
            "outcry_stream_lag_seconds",
            "how old what the group reads now is, on a bus that counts no records",
            labels,
            registry=registry,
        )

    def look(self, streams: Iterable[str]) -> None:
        """When it is time again. Raises Retryable."""
        if self._monotonic() < self._look_at:
            return
        self._look_at = self._monotonic() + LOOK_SECONDS
        self._records.clear()
        self._seconds.clear()
        for stream in sorted(streams):
            lag = self._streams.lag(stream, self._group)
            if lag.records is not None:
                self._records.labels(self._group, stream).set(lag.records)
            if lag.seconds is not None:
                self._seconds.labels(self._group, stream).set(lag.seconds)
