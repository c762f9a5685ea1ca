"""Commands are acknowledged once they were sent, some together, and the rest at the end; a failed
acknowledgement keeps no order from leaving and sends none a second time."""

import threading
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry

from edge.gateway import orders_in
from edge.gateway.orders_in import ACKNOWLEDGE_SECONDS, GROUP, OrdersIn
from edge.runtime.stream_lag import StreamLag
from functions.shared.domain.errors import Retryable
from functions.shared.stores import kinesis
from functions.shared.stores.streams import Delivered, Lag
from functions.shared.wire.commands import NewOrder, OrderCommand, encode_command, orders_stream
from tests.unit.edge.gateway.test_reports_out import NAMES, order

STREAM = orders_stream(0)


READS_MOST = 50


class Streams:
    """One order a read, until there is none; then the test ends the thread. After a failed
    acknowledgement nothing can be told before a read, which gives what was not acknowledged again;
    or, `kept`, all is as it was.
    """

    def __init__(self, orders: int, stop: threading.Event) -> None:
        self.orders = [encode_command(order(number)) for number in range(1, orders + 1)]
        self._stop = stop
        self._next = self._done = 0
        self._gone = False
        self.acknowledged: list[list[str]] = []
        self.away = 0
        self.kept = True
        self.given: list[str] = []
        self.read_of: list[list[str]] = []

    def read(
        self, streams: Sequence[str], group: str, consumer: str, count: int, block_ms: int
    ) -> list[tuple[str, list[Delivered]]]:
        assert group == GROUP
        self.read_of.append(list(streams))
        assert len(self.read_of) <= READS_MOST
        if self._gone and STREAM in streams:
            self._gone, self._next = False, self._done
        if STREAM not in streams or self._next == len(self.orders):
            self._stop.set()
            return []
        number, again = self._next, str(5 + self._next) in self.given
        self._next += 1
        self.given.append(str(5 + number))
        return [(STREAM, [Delivered(str(5 + number), "7", self.orders[number], again)])]

    def acknowledge(self, stream: str, group: str, ids: Sequence[str]) -> None:
        assert (stream, group) == (STREAM, GROUP)
        if self._gone:
            raise Retryable("has to be read anew")
        if self.away:
            self.away -= 1
            self._gone = not self.kept
            raise Retryable("away")
        self.acknowledged.append(list(ids))
        self._done = int(ids[-1]) - 4

    def lag(self, *_: object) -> Lag:
        return Lag(records=0)


class Sessions:
    names = NAMES

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.on = [0]

    def logged_on(self) -> list[int]:
        return list(self.on)


class Sent:
    """Stands for Outbound: time passes with each order that leaves."""

    def __init__(self, passes: Callable[[], None]) -> None:
        self.orders: list[int] = []
        self.passes = passes

    def send_command(self, command: OrderCommand, *, possibly_sent: bool = False) -> bool:
        assert isinstance(command, NewOrder)
        self.orders.append(command.order_id)
        self.passes()
        return True


class Setting:
    """Orders of which two leave within ACKNOWLEDGE_SECONDS."""

    def __init__(self, orders: int) -> None:
        self.now, self.stop, self.held = 0.0, threading.Event(), True
        self.streams, self.sent = Streams(orders, self.stop), Sent(self._passes)
        self.sessions = Sessions()
        lag = StreamLag(self.streams, GROUP, CollectorRegistry(), lambda: self.now)
        self.orders_in = OrdersIn(
            self.streams, self.sessions, self.sent, lag, lambda: self.held, lambda: self.now
        )

    def run(self) -> None:
        self.orders_in.run(self.stop)

    def _passes(self) -> None:
        self.now += ACKNOWLEDGE_SECONDS * 0.5


def test_what_was_sent_is_acknowledged_together_and_all_of_it_at_the_end() -> None:
    setting = Setting(5)
    setting.run()
    assert len(setting.sent.orders) == 5
    assert setting.streams.acknowledged == [["5"], ["6", "7"], ["8", "9"]]


@pytest.mark.parametrize("kept", [True, False])
def test_after_a_failed_acknowledgement_orders_are_read_on_and_none_is_sent_again(
    kept: bool,
) -> None:
    setting = Setting(4)
    setting.streams.away, setting.streams.kept = 1, kept
    setting.run()
    assert setting.sent.orders == [number << 22 for number in range(1, 5)]
    assert setting.streams.acknowledged[-1][-1] == "8"
    assert (len(setting.streams.given) > 4) is not kept


def test_another_order_under_a_known_id_is_sent() -> None:
    setting = Setting(1)
    setting.streams.away, setting.streams.kept = 1, False
    another = encode_command(order(2))

    def passes() -> None:  # the streams' server lost its files, and counts from where it did
        setting.streams.orders = [another]

    setting.sent.passes = passes
    setting.run()
    assert setting.sent.orders == [1 << 22, 2 << 22]


def test_what_a_session_that_went_off_can_not_acknowledge_holds_nobody_up() -> None:
    setting = Setting(1)
    setting.streams.away, setting.streams.kept = 1, False
    setting.sent.passes = lambda: setting.sessions.on.__setitem__(0, 1)  # on its first order
    setting.run()
    assert setting.sent.orders == [1 << 22]
    assert setting.streams.read_of[1:] == [[orders_stream(1)]]
    assert setting.streams.acknowledged == []


def test_what_was_sent_is_acknowledged_though_every_session_is_off_by_then() -> None:
    setting = Setting(1)

    def passes() -> None:
        setting.sessions.on.clear()
        setting.sessions.changed.set()

    acknowledge = setting.streams.acknowledge

    def ends(stream: str, group: str, ids: Sequence[str]) -> None:
        assert not setting.stop.is_set()
        acknowledge(stream, group, ids)
        setting.stop.set()

    setting.sent.passes, setting.streams.acknowledge = passes, ends
    setting.run()
    assert setting.streams.acknowledged == [["5"]]


def test_who_holds_the_sessions_no_more_acknowledges_nothing() -> None:
    setting = Setting(3)
    setting.sent.passes = lambda: setattr(setting, "held", False)
    setting.run()
    assert setting.streams.acknowledged == []


def test_what_waits_for_its_acknowledgement_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_in, "UNACKNOWLEDGED_MOST", 2)
    setting = Setting(4)
    setting.sent.passes = lambda: None  # no time passes
    setting.orders_in._acknowledge_at = float("inf")
    setting.run()
    assert setting.streams.acknowledged == [["7", "8"]]


class KafkaReader:
    """Stands for kafka_reader.Reader: the first one's commit is never answered."""

    opened: ClassVar[list["KafkaReader"]] = []
    stop: ClassVar[threading.Event]

    def __init__(self, *_: object) -> None:
        self.opened.append(self)
        self._reads = 0

    def read(self, streams: list[str], _count: int, _ms: int) -> list[tuple[str, list[Delivered]]]:
        self._reads += 1
        assert self._reads <= READS_MOST
        data = encode_command(order(1))
        return [] if self._reads > 1 else [(streams[0], [Delivered("5", "7", data)])]

    def acknowledge(self, _stream: str, last: int) -> None:
        from functions.shared.stores.kafka_reader import ReaderGone

        if len(self.opened) == 1:
            raise ReaderGone("no answer to a commit")
        assert last == 5
        self.stop.set()

    def lag(self, _stream: str) -> int:
        return 0

    def close(self) -> None:
        pass


def test_a_kafka_commit_that_was_given_up_is_followed_by_a_new_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = pytest.importorskip("functions.shared.stores.kafka", exc_type=ValueError)
    setting = Setting(0)
    monkeypatch.setattr(kafka, "Reader", KafkaReader)
    monkeypatch.setattr(KafkaReader, "opened", [])
    monkeypatch.setattr(KafkaReader, "stop", setting.stop, raising=False)
    streams = kafka.KafkaStreams({"bootstrap.servers": ""}, "x")
    run_over(setting, streams)
    assert len(KafkaReader.opened) == 2
    assert setting.sent.orders == [1 << 22]


class KinesisReader:
    """Stands for kinesis_reader.StreamReader: the first one's position can't be written."""

    opened: ClassVar[list["KinesisReader"]] = []
    stop: ClassVar[threading.Event]

    def __init__(self, *_: object) -> None:
        self.opened.append(self)
        self._reads = 0

    def fetch(self, _count: int) -> list[Delivered]:
        self._reads += 1
        assert self._reads <= READS_MOST
        return [] if self._reads > 1 else [Delivered("s:5", "7", encode_command(order(1)))]

    def due(self) -> float:
        return float("inf")

    def acknowledge(self, ids: Sequence[str]) -> None:
        if len(self.opened) == 1:
            raise Retryable("throttled")
        assert list(ids) == ["s:5"]
        self.stop.set()

    def lag_seconds(self) -> float:
        return 0.0


def test_a_kinesis_position_that_could_not_be_written_is_followed_by_a_new_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Setting(0)
    monkeypatch.setattr(kinesis, "StreamReader", KinesisReader)
    monkeypatch.setattr(KinesisReader, "opened", [])
    monkeypatch.setattr(KinesisReader, "stop", setting.stop, raising=False)
    streams = kinesis.KinesisStreams(None, None)
    for name in ("_prepare", "_create"):
        monkeypatch.setattr(streams, name, lambda *_: None)
    run_over(setting, streams)
    assert len(KinesisReader.opened) == 2
    assert setting.sent.orders == [1 << 22]


def run_over(setting: Setting, streams: kinesis.KinesisStreams) -> None:
    lag = StreamLag(streams, GROUP, CollectorRegistry(), lambda: 0.0)
    OrdersIn(streams, setting.sessions, setting.sent, lag, lambda: True).run(setting.stop)
