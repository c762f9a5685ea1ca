"""Commands are acknowledged once they were sent, some together, and the rest at the end."""

import threading
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from edge.gateway.orders_in import ACKNOWLEDGE_SECONDS, GROUP, OrdersIn
from edge.runtime.stream_lag import StreamLag
from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Delivered, Lag
from functions.shared.wire.commands import NewOrder, OrderCommand, encode_command, orders_stream
from tests.unit.edge.gateway.test_reports_out import NAMES, order

STREAM = orders_stream(0)


class Streams:
    """One order a read, until there is none; then the test ends the thread."""

    def __init__(self, orders: int, stop: threading.Event) -> None:
        self._left = [encode_command(order(number)) for number in range(1, orders + 1)]
        self._stop = stop
        self.acknowledged: list[list[str]] = []
        self.away = 0

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        assert group == GROUP
        if not self._left:
            self._stop.set()
            return []
        number = str(10 - len(self._left))
        return [(STREAM, [Delivered(number, "7", self._left.pop(0))])]

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        assert (stream, group) == (STREAM, GROUP)
        if self.away:
            self.away -= 1
            raise Retryable("away")
        self.acknowledged.append(list(ids))

    def lag(self, *_: object) -> Lag:
        return Lag(records=0)


class Sessions:
    names = NAMES

    def __init__(self) -> None:
        self.changed = threading.Event()

    def logged_on(self) -> list[int]:
        return [0]


class Sent:
    """Stands for Outbound: time passes with each order that leaves."""

    def __init__(self, passes: Callable[[], None]) -> None:
        self.orders: list[int] = []
        self._passes = passes

    def send_command(self, command: OrderCommand, *, possibly_sent: bool = False) -> bool:
        assert isinstance(command, NewOrder)
        self.orders.append(command.order_id)
        self._passes()
        return True


def run(orders: int, away: int = 0) -> tuple[Streams, Sent]:
    """All of them sent, two within ACKNOWLEDGE_SECONDS."""
    now, stop = [0.0], threading.Event()

    def passes() -> None:
        now[0] += ACKNOWLEDGE_SECONDS * 0.5

    streams, sent = Streams(orders, stop), Sent(passes)
    streams.away = away
    lag = StreamLag(streams, GROUP, CollectorRegistry(), lambda: now[0])
    OrdersIn(streams, Sessions(), sent, lag, lambda: now[0]).run(stop)
    return streams, sent


def test_what_was_sent_is_acknowledged_together_and_all_of_it_at_the_end() -> None:
    streams, sent = run(5)
    assert len(sent.orders) == 5
    assert streams.acknowledged == [["5"], ["6", "7"], ["8", "9"]]


def test_what_could_not_be_acknowledged_is_acknowledged_later_and_not_sent_again() -> None:
    streams, sent = run(4, away=1)
    assert len(sent.orders) == 4
    assert [number for ids in streams.acknowledged for number in ids] == ["6", "7", "8", "9"]
