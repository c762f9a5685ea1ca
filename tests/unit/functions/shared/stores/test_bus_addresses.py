"""Which address means which bus, and what Kafka's library is told by it."""

import pytest

from functions.shared.settings import SettingsError, StreamSettings
from functions.shared.stores.streams import Limits, ValkeyStreams, open_streams, streams_of

kafka = pytest.importorskip("functions.shared.stores.kafka", exc_type=ValueError)


@pytest.mark.parametrize(
    "url", ["", "kafka://", "kafka://host:9092", "kinesis://", "amqp://host/x", "redis"]
)
def test_another_address_is_refused_with_what_it_may_be(url: str) -> None:
    with pytest.raises(ValueError, match="OUTCRY_STREAMS_URL"):
        open_streams(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("kafka://a:1,b:2/x", {"bootstrap.servers": "a:1,b:2"}),
        ("kafkas://a:1/x", {"bootstrap.servers": "a:1", "security.protocol": "SSL"}),
        (
            "kafkas://me:p%40ss@a:1,b:2/x",
            {
                "bootstrap.servers": "a:1,b:2",
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "me",
                "sasl.password": "p@ss",
            },
        ),
    ],
)
def test_kafkas_address_says_where_and_how_safely(url: str, told: dict[str, str]) -> None:
    assert kafka.address_of(url) == (told, "x")


@pytest.mark.parametrize(
    ("stream", "topic", "partition"),
    [("executions.3", "x.executions", 3), ("ledger-events", "x.ledger-events", 0)],
)
def test_a_numbered_stream_is_a_partition_of_its_familys_topic(
    stream: str, topic: str, partition: int
) -> None:
    assert kafka.place_of("x", stream) == (topic, partition)


def test_a_processs_own_limits_reach_its_bus() -> None:
    names = {
        "OUTCRY_STREAMS_URL": "redis://127.0.0.1:1/0",
        "OUTCRY_STREAM_BATCH_BYTES": "1000",
        "OUTCRY_STREAM_APPEND_SECONDS": "0.5",
        "OUTCRY_STREAM_TAKEOVER_SECONDS": "7",
    }
    streams = streams_of(StreamSettings.from_environment(names))
    assert isinstance(streams, ValkeyStreams)
    assert streams.limits == Limits(batch_bytes=1000, append_seconds=0.5, takeover_seconds=7)
    with pytest.raises(SettingsError, match="OUTCRY_STREAM_BATCH_BYTES"):
        StreamSettings.from_environment(names | {"OUTCRY_STREAM_BATCH_BYTES": "0"})
