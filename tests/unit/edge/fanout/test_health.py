"""When a fanout says that it can't serve: a drain, a loop that is late, channels that are away."""

from dataclasses import dataclass
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest

from edge.fanout.limits import Limits
from edge.fanout.metrics import BusFigures, FanoutMetrics
from edge.fanout.server import StreamServer
from edge.fanout.upkeep import Upkeep
from functions.shared.stores.subscriber import ValkeySubscriber
from tests.support.fanout import Floor


@dataclass
class Channels:
    """Stands in for the subscriber."""

    connected: bool = True


async def test_it_is_healthy_while_it_takes_clients_and_its_loop_and_channels_live() -> None:
    floor, channels = Floor(Limits(late_seconds=2.0)), Channels()
    server = StreamServer(floor.hub, floor.reception)
    metrics = FanoutMetrics(
        server, floor.private, cast(ValkeySubscriber, channels), BusFigures(), Upkeep(server)
    )
    assert metrics.state() == (True, "")
    channels.connected = False
    assert metrics.state() == (False, "the quote channels are away")
    channels.connected = True
    server._ticked_at -= 1.0
    assert metrics.state() == (True, "")
    server._ticked_at -= 60.0
    ready, detail = metrics.state()
    assert not ready
    assert "late" in detail
    server.stop_listening()
    assert metrics.state() == (False, "draining")


async def test_its_figures_tell_refusals_closes_sweeps_and_memory() -> None:
    floor = Floor(Limits(connections=1, memory_bytes=4096))
    server, registry = StreamServer(floor.hub, floor.reception), CollectorRegistry()
    upkeep = Upkeep(server)
    registry.register(
        FanoutMetrics(
            server, floor.private, cast(ValkeySubscriber, Channels()), BusFigures(), upkeep
        )
    )
    for _ in range(3):
        server.admission.enter("192.0.2.1", 1.0)
    server.count_close(4002)
    server.admission.leave("192.0.2.1")
    await upkeep.sweep()
    text = generate_latest(registry).decode()
    for sample in (
        'outcry_fanout_turned_away_total{code="503"} 2.0',
        'outcry_fanout_closes_total{code="4002"} 1.0',
        "outcry_fanout_sweeps_total 1.0",
        "outcry_fanout_leftovers_total 0.0",
        "outcry_fanout_memory_limit_bytes 4096.0",
        "outcry_fanout_memory_alarm 0.0",
    ):
        assert sample in text
