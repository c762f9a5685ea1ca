"""The relay hands on rows in order, loses none when a store fails, and needs no channel."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from edge.relay.drain import BATCH_MOST, Drain
from edge.relay.metrics import RelayMetrics
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.stores.outbox import OutboxRow
from functions.shared.stores.streams import Delivered, Record
from functions.shared.wire.commands import orders_stream, session_of_symbol
from functions.shared.wire.events import LEDGER_EVENTS_STREAM, EventBody, UserEvent, decode_event

AT = datetime(2026, 7, 10, 4, 0, 0, 123456, tzinfo=UTC)


def row(number: int, command: str | None = None, symbol: str | None = "INFY") -> OutboxRow:
    return OutboxRow(number, 7, number, symbol, command, AT, "ORDER_PLACED", '{"v":1}')


class Rows:
    def __init__(self, rows: list[OutboxRow]) -> None:
        self.rows = rows
        self.away = False

    def read(self, most: int) -> list[OutboxRow]:
        return self.rows[:most]

    def delete(self, ids: Sequence[int]) -> None:
        if self.away:
            raise Retryable("away")
        self.rows = [r for r in self.rows if r.id not in ids]


class Recorded:
    def __init__(self) -> None:
        self.appended: list[tuple[str, list[Record]]] = []
        self.away = ""

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if stream == self.away:
            raise Retryable("away")
        self.appended.append((stream, list(records)))

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def read(self, *_: object) -> list[tuple[str, list[Delivered]]]:
        raise NotImplementedError

    def acknowledge(self, *_: object) -> None:
        raise NotImplementedError


class Pushes:
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.away = False
        self.tries = 0

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.tries += 1
        if self.away:
            raise Retryable("away")
        self.messages += messages


class Setting:
    def __init__(self, rows: list[OutboxRow]) -> None:
        self.rows, self.streams, self.pushes = Rows(rows), Recorded(), Pushes()
        self.now = 0.0
        metrics = RelayMetrics(CollectorRegistry())
        self.drain = Drain(
            0, self.rows, self.streams, self.pushes, 2, metrics, monotonic=lambda: self.now
        )


def test_a_command_travels_unchanged_to_its_symbols_session_before_the_event() -> None:
    setting = Setting([row(1, '{"kind":"new"}'), row(2)])
    assert setting.drain.drain_once() == 2
    (first, commands), (second, events) = setting.streams.appended
    assert first == orders_stream(session_of_symbol("INFY", 2))
    assert commands == [Record("7", b'{"kind":"new"}')]
    assert second == LEDGER_EVENTS_STREAM
    assert [decode_event(e.data).user_seq for e in events] == [1, 2]
    assert setting.rows.rows == []


def test_an_event_reads_back_as_the_rows_facts() -> None:
    setting = Setting([row(3)])
    setting.drain.drain_once()
    (channel, payload) = setting.pushes.messages[0]
    assert channel == "user:{u07}:7"
    assert decode_event(payload) == UserEvent(
        user_id=7, user_seq=3, kind="ORDER_PLACED", at=1783656000123456, body=EventBody()
    )


@pytest.mark.parametrize("stream", [LEDGER_EVENTS_STREAM, orders_stream(0), orders_stream(1)])
def test_a_row_stays_until_every_stream_has_it(stream: str) -> None:
    rows = [row(1, "{}", "INFY"), row(2, "{}", "TCS"), row(3, "{}", "SBIN"), row(4, "{}", "ITC")]
    setting = Setting(rows)
    assert {session_of_symbol(str(r.symbol), 2) for r in rows} == {0, 1}
    setting.streams.away = stream
    with pytest.raises(Retryable):
        setting.drain.drain_once()
    assert setting.rows.rows == rows
    setting.streams.away = ""
    setting.drain.drain_once()
    assert setting.rows.rows == []


def test_a_row_whose_deletion_failed_is_handed_on_again() -> None:
    setting = Setting([row(1)])
    setting.rows.away = True
    with pytest.raises(Retryable):
        setting.drain.drain_once()
    setting.rows.away = False
    setting.drain.drain_once()
    assert [stream for stream, _ in setting.streams.appended] == [LEDGER_EVENTS_STREAM] * 2


def test_orders_flow_on_while_the_channels_are_away_and_the_channels_are_left_alone() -> None:
    setting = Setting([row(n, "{}") for n in range(1, 2 * BATCH_MOST + 1)])
    setting.pushes.away = True
    assert setting.drain.drain_once() == BATCH_MOST
    assert setting.drain.drain_once() == BATCH_MOST
    assert setting.pushes.tries == 1
    setting.rows.rows = [row(2000)]
    setting.pushes.away, setting.now = False, 1.5
    setting.drain.drain_once()
    assert len(setting.pushes.messages) == 1


def test_a_command_without_a_symbol_is_our_bug() -> None:
    with pytest.raises(InvariantViolated):
        Setting([row(1, "{}", None)]).drain.drain_once()
