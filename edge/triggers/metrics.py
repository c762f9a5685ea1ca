"""What the triggers count."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from functions.shared.wire.trigger_commands import (
    EdgeCommand,
    ExpireOrder,
    FireAlert,
    TrailOrder,
    WorkPlan,
)

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class TriggerMetrics:
    """One set per process, in the registry that /metrics serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.watched = Gauge("outcry_triggers_watched", "orders watched", registry=registry)
        self.unanswered = Gauge(
            "outcry_triggers_unanswered",
            "orders asked for of which the ledger has not told since",
            registry=registry,
        )
        self.prices = Counter("outcry_triggers_prices", "quotes looked at", registry=registry)
        self.bad_batches = Counter(
            "outcry_triggers_bad_batches", "quote batches not read", registry=registry
        )
        self.dropped = Counter(
            "outcry_triggers_dropped",
            "commands that found the queue full; they are asked again",
            registry=registry,
        )
        self.again = Counter(
            "outcry_triggers_asked_again", "commands asked more than once", registry=registry
        )
        self._commands = Counter(
            "outcry_triggers_commands", "commands handed on", ("why",), registry=registry
        )
        self._seconds = Histogram(
            "outcry_triggers_seconds",
            "from what was seen to the command in the stream",
            buckets=_SECONDS,
            registry=registry,
        )

    def asked(self, command: EdgeCommand, seconds: float) -> None:
        """A command is in the stream, so long after what it is about was seen."""
        if isinstance(command, ExpireOrder):
            why = "expiry"
        elif isinstance(command, TrailOrder):
            why = "trail"
        elif isinstance(command, WorkPlan):
            why = "plan"
        elif isinstance(command, FireAlert):
            why = "alert"
        else:
            why = "time" if command.tick is None else "price"
        self._commands.labels(why).inc()
        self._seconds.observe(max(0.0, seconds))
