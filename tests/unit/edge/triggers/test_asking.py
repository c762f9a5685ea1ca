"""Commands reach the stream of their user's partition, or are counted as dropped."""

import threading
from collections.abc import Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from edge.triggers import asking
from edge.triggers.asking import Asking
from edge.triggers.metrics import TriggerMetrics
from functions.shared.domain.errors import Retryable
from functions.shared.domain.ids import partition_of_user
from functions.shared.stores.streams import Delivered, Record
from functions.shared.wire.trigger_commands import (
    ExpireOrder,
    commands_stream,
    decode_trigger_command,
)


class Recorded:
    """Takes what it is given, but for the first `failing` times."""

    def __init__(self, failing: int, expected: int, stop: threading.Event) -> None:
        self.appended: dict[str, list[int]] = {}
        self._failing = failing
        self._expected = expected
        self._stop = stop

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if self._failing:
            self._failing -= 1
            raise Retryable("away")
        commands = [decode_trigger_command(record.data) for record in records]
        orders = [each.order_id for each in commands if isinstance(each, ExpireOrder)]
        self.appended.setdefault(stream, []).extend(orders)
        if sum(map(len, self.appended.values())) == self._expected:
            self._stop.set()

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def read(self, *_: object) -> list[tuple[str, list[Delivered]]]:
        raise NotImplementedError

    def acknowledge(self, *_: object) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def command(number: int) -> ExpireOrder:
    return ExpireOrder(user_id=number, order_id=number, version=1, seen_at=0)


def test_each_goes_to_its_users_partition_and_a_failed_batch_is_tried_again() -> None:
    stop, registry = threading.Event(), CollectorRegistry()
    streams = Recorded(failing=2, expected=9, stop=stop)
    handing = Asking(streams, 4, TriggerMetrics(registry), lambda: True, wall_us=lambda: 1_000_000)
    handing.put([command(number) for number in range(1, 10)])
    handing.run(stop)
    for stream, orders in streams.appended.items():
        assert {commands_stream(partition_of_user(n, 4)) for n in orders} == {stream}
        assert orders == sorted(orders)
    assert handing.state() == (True, "")
    assert registry.get_sample_value("outcry_triggers_commands_total", {"why": "expiry"}) == 9


def test_what_finds_the_queue_full_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "QUEUE_MOST", 2)
    registry = CollectorRegistry()
    streams = Recorded(0, 2, threading.Event())
    handing = Asking(streams, 4, TriggerMetrics(registry), lambda: True)
    handing.put([command(number) for number in range(5)])
    assert registry.get_sample_value("outcry_triggers_dropped_total") == 3
