"""What the fanout tells of itself on /metrics and /health, read from its parts when asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.fanout.private import PrivateEvents
from edge.fanout.server import StreamServer
from edge.fanout.upkeep import Upkeep
from functions.shared.stores.subscriber import ValkeySubscriber


@dataclass(slots=True)
class BusFigures:
    """What came over the quote channels: batches not read, the age of the last one when it came."""

    bad_batches: int = 0
    lag_us: int = 0
    _worst_us: int = 0

    def arrived(self, lag_us: int) -> None:
        """A batch came, as old as that; it is less than nothing where two clocks differ."""
        self.lag_us = lag_us
        self._worst_us = max(self._worst_us, lag_us)

    def worst_lag_us(self) -> int:
        """The oldest since this was last asked; 0 when nothing came."""
        worst, self._worst_us = self._worst_us, 0
        return worst


class FanoutMetrics(Collector):
    """Reads plain integers the loop writes; a torn read shows a value a moment old at worst."""

    def __init__(
        self,
        server: StreamServer,
        private: PrivateEvents,
        subscriber: ValkeySubscriber,
        bus: BusFigures,
        upkeep: Upkeep,
    ) -> None:
        self._server, self._private, self._subscriber = server, private, subscriber
        self._bus, self._upkeep = bus, upkeep

    def state(self) -> tuple[bool, str]:
        """Ready while it takes clients, its loop turns and the channels are subscribed."""
        if self._server.draining:
            return False, "draining"
        late = self._server.late_seconds()
        if late > self._server.limits.late_seconds:
            return False, f"the loop is {late:.1f} s late"
        if not self._subscriber.connected:
            return False, "the quote channels are away"
        return True, ""

    def collect(self) -> Iterator[Metric]:
        server, hub, private = self._server, self._server.hub, self._private
        portfolios = private.portfolios
        counters: dict[str, tuple[str, float]] = {
            "outcry_fanout_accepted": ("connections taken", server.accepted),
            "outcry_fanout_sweeps": ("searches for leftovers", self._upkeep.sweeps),
            "outcry_fanout_leftovers": ("entries of gone clients found", self._upkeep.leftovers),
            "outcry_fanout_late_ticks": ("ticks that came late", server.late_ticks),
            "outcry_fanout_deliveries": ("quotes and portfolios handed over", hub.deliveries),
            "outcry_fanout_flushes": ("writes of quotes", hub.flushes),
            "outcry_fanout_private_events": ("private events handed to clients", private.sent),
            "outcry_fanout_private_gaps": ("gaps filled from the ledger", private.gaps),
            "outcry_fanout_reloads": ("clients too far behind to resume", private.reloads),
            "outcry_fanout_unreadable_events": ("channel messages not read", private.unreadable),
            "outcry_fanout_portfolios": ("portfolios told", portfolios.pushes),
            "outcry_fanout_portfolio_reads": ("books read to be valued", portfolios.reads),
            "outcry_fanout_bad_batches": ("quote batches not read", self._bus.bad_batches),
        }
        for name, (documentation, value) in counters.items():
            yield CounterMetricFamily(name, documentation, value=value)
        lag = self._bus.lag_us / 1_000_000
        gauges: dict[str, tuple[str, float]] = {
            "outcry_fanout_connections": ("clients now", len(hub)),
            "outcry_fanout_portfolios_waiting": ("users not valued as of now", portfolios.waiting),
            "outcry_fanout_bus_lag_seconds": ("age of the last batch when it came", lag),
            "outcry_fanout_memory_bytes": ("memory in use", self._upkeep.memory_used),
            "outcry_fanout_memory_limit_bytes": (
                "memory it may use, 0 for any", self._upkeep.memory_limit or 0
            ),
            "outcry_fanout_memory_alarm": ("1 near the limit", int(self._upkeep.memory_alarm)),
        }  # fmt: skip
        for name, (documentation, value) in gauges.items():
            yield GaugeMetricFamily(name, documentation, value=value)
        yield _by_code("outcry_fanout_turned_away", "connections refused", server.admission.refused)
        yield _by_code("outcry_fanout_closes", "closes by us", server.closes)


def _by_code(name: str, documentation: str, counts: Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=["code"])
    for code, count in list(counts.items()):
        family.add_metric([str(int(code))], count)
    return family
