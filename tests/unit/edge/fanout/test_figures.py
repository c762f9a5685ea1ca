"""The line that CloudWatch counts: clients now, and the worst lag since the line before."""

from structlog.testing import capture_logs

from edge.fanout.figures import tell_once
from edge.fanout.metrics import BusFigures
from edge.fanout.server import Connection, StreamServer
from tests.support.fanout import Floor


async def test_a_line_tells_the_clients_and_the_worst_lag_of_its_own_interval() -> None:
    floor, bus = Floor(), BusFigures()
    server = StreamServer(floor.hub, floor.reception)
    with capture_logs() as lines:
        tell_once(server, bus)
        for lag_us in (20_000, 750_999, 30_000):
            bus.arrived(lag_us)
        for _ in range(2):
            floor.hub.enter(Connection(server).client)
        tell_once(server, bus)
        bus.arrived(-4_000)  # ingest's clock is ahead of ours
        tell_once(server, bus)
    told = [(line["event"], line["connections"], line["lag_ms"]) for line in lines]
    assert told == [("stream figures", 0, 0), ("stream figures", 2, 750), ("stream figures", 2, 0)]
    assert bus.lag_us == -4_000
