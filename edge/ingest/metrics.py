"""What ingest tells of itself on /metrics and /health, read from its parts when asked."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.ingest.book import Book
from edge.ingest.candles import CandleKeeper
from edge.ingest.feed import Feed
from edge.ingest.publish import Publisher


class IngestMetrics(Collector):
    """Reads plain integers the loop writes; a torn read shows a value a moment old at worst."""

    def __init__(
        self,
        book: Book,
        feeds: Sequence[Feed],
        publisher: Publisher,
        monotonic: Callable[[], float],
        keepers: Sequence[CandleKeeper] = (),
    ) -> None:
        self._book, self._feeds, self._publisher = book, feeds, publisher
        self._keepers = keepers
        self._monotonic = monotonic

    def state(self) -> tuple[bool, str]:
        """Ready when every feed is fresh and batches get out; candles can wait."""
        now = self._monotonic()
        stale = [feed.sender for feed in self._feeds if feed.stale(now)]
        if stale:
            return False, f"stale feed: {', '.join(stale)}"
        if self._publisher.away:
            return False, "the quote cache is away"
        return True, ""

    def collect(self) -> Iterator[Metric]:
        publisher = self._publisher
        yield _counter("outcry_ingest_updates", "market-data entries taken", self._book.updates)
        yield _counter("outcry_ingest_quotes", "quotes published", publisher.quotes)
        yield _counter("outcry_ingest_batches", "batches published", publisher.batches)
        yield _counter("outcry_ingest_failures", "batches Valkey did not take", publisher.failures)
        yield GaugeMetricFamily(
            "outcry_ingest_lag_seconds",
            "age of the newest update in the last batch when it was published",
            value=publisher.lag_ms / 1000,
        )
        now = self._monotonic()
        stale = GaugeMetricFamily(
            "outcry_ingest_stale", "1 while a feed is silent or away", labels=["session"]
        )
        faults = CounterMetricFamily(
            "outcry_ingest_faults", "what went wrong on a feed", labels=["session", "kind"]
        )
        for feed in self._feeds:
            stale.add_metric([feed.sender], float(feed.stale(now)))
            for kind in ("reconnects", "gaps", "garbled", "refusals"):
                faults.add_metric([feed.sender, kind], getattr(feed, kind))
        yield stale
        yield faults
        for keeper in self._keepers:
            yield from _of_candles(keeper)


def _of_candles(keeper: CandleKeeper) -> Iterator[Metric]:
    yield _counter("outcry_ingest_candles", "candles written, each copy", keeper.written)
    yield _counter("outcry_ingest_candle_failures", "writes not taken", keeper.failures)
    yield _counter(
        "outcry_ingest_candles_dropped", "candles given up, the oldest that waited", keeper.dropped
    )
    yield GaugeMetricFamily(
        "outcry_ingest_candles_waiting", "candles that wait for their store", value=keeper.waiting
    )
    yield GaugeMetricFamily(
        "outcry_ingest_candle_store_away",
        "1 while the candles' store does not answer",
        value=float(keeper.away),
    )


def _counter(name: str, documentation: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, documentation, value=value)
