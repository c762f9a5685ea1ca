"""What the relay counts, by shard."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class RelayMetrics:
    """One set per process, in the registry that /metrics serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("shard",)
        self.rows = Counter("outcry_relay_rows", "outbox rows handed on", labels, registry=registry)
        self.batch_seconds = Histogram(
            "outcry_relay_batch_seconds",
            "from reading a batch to its deletion",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.stalled = Gauge(
            "outcry_relay_stalled",
            "1 while the shard's outbox can't be drained",
            labels,
            registry=registry,
        )
        self.pushes_lost = Counter(
            "outcry_relay_pushes_lost",
            "events not pushed because the channels were away; clients resume from the ledger",
            labels,
            registry=registry,
        )
