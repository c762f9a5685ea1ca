"""What ingest tells of itself on /metrics and /health, read from its parts when asked."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.ingest.book import Book
from edge.ingest.breaker import BreakerWatch
from edge.ingest.candles import CandleKeeper
from edge.ingest.feed import FeedPair
from edge.ingest.publish import Publisher


class IngestMetrics(Collector):
    """Reads plain integers the loop writes; a torn read shows a value a moment old at worst."""

    def __init__(
        self,
        book: Book,
        feeds: Sequence[FeedPair],
        publisher: Publisher,
        keepers: Sequence[CandleKeeper] = (),
        watch: BreakerWatch | None = None,
    ) -> None:
        self._book, self._feeds, self._publisher = book, feeds, publisher
        self._keepers, self._watch = keepers, watch

    def state(self) -> tuple[bool, str]:
        """Ready when every feed is fresh and batches get out; candles can wait."""
        stale = [feed.sender for feed in self._publisher.stale_feeds()]
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
        yield _counter("outcry_ingest_waits", "batches put off at a takeover", publisher.waits)
        yield _gauge("outcry_ingest_publishing", "1 while it publishes", publisher.publishing)
        yield _gauge(
            "outcry_ingest_lag_seconds",
            "age of the newest update in the last batch when it was published",
            publisher.lag_ms / 1000,
        )
        yield from self._sessions()
        yield from self._lines()
        if (watch := self._watch) is not None:
            yield _counter("outcry_ingest_halts", "statements on a halt of the market", watch.said)
            yield _counter("outcry_ingest_halt_failures", "looks that failed", watch.failures)

    def _sessions(self) -> Iterator[Metric]:
        still = self._publisher.stale_feeds()
        stale = GaugeMetricFamily(
            "outcry_ingest_stale", "1 while nothing is heard on any line", labels=["session"]
        )
        losses = CounterMetricFamily(
            "outcry_ingest_losses", "times only a snapshot could help", labels=["session"]
        )
        for feed in self._feeds:
            stale.add_metric([feed.sender], float(feed in still))
            losses.add_metric([feed.sender], feed.arbiter.losses)
        yield stale
        yield losses

    def _lines(self) -> Iterator[Metric]:
        labels = ["session", "line"]
        down = GaugeMetricFamily("outcry_ingest_line_down", "1 while a line is lost", labels=labels)
        behind = GaugeMetricFamily(
            "outcry_ingest_line_behind", "messages that a line has yet to bring", labels=labels
        )
        copies = CounterMetricFamily(
            "outcry_ingest_copies", "messages taken, or dropped", labels=[*labels, "copy"]
        )
        faults = CounterMetricFamily(
            "outcry_ingest_faults", "what went wrong on a line", labels=[*labels, "kind"]
        )
        for pair in self._feeds:
            for feed in pair.feeds:
                line = feed.line
                names = [feed.sender, line.name]
                down.add_metric(names, float(not line.follows))
                behind.add_metric(names, pair.arbiter.behind(line))
                copies.add_metric([*names, "first"], line.taken)
                copies.add_metric([*names, "second"], line.dropped)
                for kind in ("reconnects", "gaps", "garbled", "refusals"):
                    faults.add_metric([*names, kind], getattr(feed, kind))
        yield down
        yield behind
        yield copies
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


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)
