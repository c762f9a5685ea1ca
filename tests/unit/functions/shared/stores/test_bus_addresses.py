"""Which address means which bus, and what Kafka's library is told by it."""

import re
from pathlib import Path

import pytest

import infra
from functions.shared.settings import SettingsError, StreamSettings
from functions.shared.stores.streams import Limits, ValkeyStreams, open_streams, streams_of

kafka = pytest.importorskip("functions.shared.stores.kafka", exc_type=ValueError)

LIMIT_NAMES = Limits.__struct_fields__


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
        "OUTCRY_STREAM_ENTRIES": "9",
        "OUTCRY_STREAM_TRIES": "2",
        "OUTCRY_STREAM_READ_SECONDS": "0.4",
        "OUTCRY_STREAM_SHARDS_SECONDS": "30",
    }
    streams = streams_of(StreamSettings.from_environment(names))
    assert isinstance(streams, ValkeyStreams)
    assert streams.limits == Limits(
        batch_bytes=1000, append_seconds=0.5, takeover_seconds=7, entries=9, tries=2,
        read_seconds=0.4, shards_seconds=30,
    )  # fmt: skip
    with pytest.raises(SettingsError, match="OUTCRY_STREAM_BATCH_BYTES"):
        StreamSettings.from_environment(names | {"OUTCRY_STREAM_BATCH_BYTES": "0"})


def test_the_page_has_every_limit_with_its_default() -> None:
    page = Path(infra.__file__).with_name("buses.md").read_text()
    rows = dict(re.findall(r"^\| `OUTCRY_STREAM_([A-Z_]+)` \| ([^|]*?) \|", page, re.MULTILINE))
    told = StreamSettings(streams_url="redis://127.0.0.1:1/0")
    shown = {name.upper(): f"{getattr(told, f'stream_{name}'):.10g}" for name in LIMIT_NAMES}
    assert rows == shown
    assert Limits() == streams_of(told).limits  # type: ignore[attr-defined]
