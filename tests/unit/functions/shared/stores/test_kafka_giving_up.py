"""Which errors of Kafka's library end a reader, so that the next call opens another."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from functions.shared.domain.errors import Retryable

kafka = pytest.importorskip("functions.shared.stores.kafka", exc_type=ValueError)
confluent = pytest.importorskip("confluent_kafka")

_CODES = confluent.KafkaError


class ReaderThatFails:
    """Stands for kafka_reader.Reader."""

    opened: ClassVar[list["ReaderThatFails"]] = []
    code = 0

    def __init__(self, *_: Any) -> None:
        self.closed = False
        self.opened.append(self)

    def divide(self, _streams: Sequence[str]) -> frozenset[str]:
        raise confluent.KafkaException(_CODES(self.code))

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        (_CODES._FATAL, True),
        (_CODES.FENCED_INSTANCE_ID, True),
        (_CODES._TRANSPORT, False),
        (_CODES.COORDINATOR_LOAD_IN_PROGRESS, False),
        (_CODES.ILLEGAL_GENERATION, False),
    ],
)
def test_a_reader_that_the_library_has_ended_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch, code: int, ends: bool
) -> None:
    monkeypatch.setattr(kafka, "Reader", ReaderThatFails)
    monkeypatch.setattr(ReaderThatFails, "opened", [])
    monkeypatch.setattr(ReaderThatFails, "code", code)
    streams = kafka.KafkaStreams({"bootstrap.servers": ""}, "x")
    for _ in range(2):
        with pytest.raises(Retryable):
            streams.divide(["executions.0"], "ledger", "me")
    assert [reader.closed for reader in ReaderThatFails.opened] == ([True] * 2 if ends else [False])
