"""The relay on the real ledger, streams and channels; and the edge's own statements."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import redis
from prometheus_client import CollectorRegistry

from edge.relay.drain import Drain
from edge.relay.main import listen_for_hints
from edge.relay.metrics import RelayMetrics
from functions.shared.stores import fix_checkpoint
from functions.shared.stores.channels import OUTBOX_HINT, Channels
from functions.shared.stores.fix_checkpoint import LedgerCheckpoint
from functions.shared.stores.leases import RELAY, LedgerLeases
from functions.shared.stores.outbox import Outbox
from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import ValkeyStreams
from functions.shared.wire.events import LEDGER_EVENTS_STREAM, decode_event, user_channel
from infra.local.postgres import APPLICATION
from tests.support.eventually import WAIT_SECONDS, wait_until
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest
from tests.support.valkey import ValkeyUnderTest, valkey_server

USER = 5


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server(durable=True) as server:
        yield server


def record_event(databases: ShardsUnderTest, seq: int, command: str | None = None) -> None:
    """An event and its outbox row, as the ledger's own functions leave them."""
    connection = databases.superuser(0)
    connection.run("BEGIN")
    connection.run(
        "INSERT INTO ledger.ledger_event VALUES (:u, :s, :t, 'ORDER_PLACED', NULL, 0, 0, 0, 0, 0,"
        " :b, '')",
        u=USER,
        s=seq,
        t=datetime(2026, 7, 10, 4, tzinfo=UTC),
        b='{"v": 1}',
    )
    connection.run(
        "INSERT INTO ledger.outbox (part, user_id, seq, symbol, command)"
        " VALUES (5, :u, :s, 'INFY', :c)",
        u=USER,
        s=seq,
        c=command,
    )
    connection.run("COMMIT")
    connection.close()


@contextmanager
def relaying(urls: list[str], valkey: ValkeyUnderTest) -> Iterator[Drain]:
    shards, stop = Shards(urls, "relay"), threading.Event()
    fence = LedgerLeases(shards.control).take([RELAY], "test", 60)
    assert fence is not None
    channels = Channels(valkey.url)
    drain = Drain(
        0,
        Outbox(shards.control, lambda: fence),
        ValkeyStreams(valkey.url),
        channels,
        2,
        RelayMetrics(CollectorRegistry()),
    )
    bodies = [lambda: drain.run(stop), lambda: listen_for_hints(channels, [drain], stop)]
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield drain
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)
        shards.close()


def test_what_is_committed_reaches_stream_and_channel_and_leaves_the_outbox(
    databases: ShardsUnderTest, edge_urls: list[str], valkey: ValkeyUnderTest
) -> None:
    with redis.Redis.from_url(valkey.url) as client, client.pubsub() as listening:
        client.flushall()
        listening.ssubscribe(user_channel(USER))
        record_event(databases, 1, '{"kind": "new"}')
        record_event(databases, 2)
        with relaying(edge_urls, valkey) as drain:
            wait_until(lambda: client.xlen(LEDGER_EVENTS_STREAM) == 2)
            assert client.xlen("orders.0") + client.xlen("orders.1") == 1
            wait_until(lambda: drain.state()[0])
            record_event(databases, 3)
            client.spublish(OUTBOX_HINT, "0")
            wait_until(lambda: client.xlen(LEDGER_EVENTS_STREAM) == 3)
        entries = client.xrange(LEDGER_EVENTS_STREAM)
        assert [decode_event(fields[b"d"]).user_seq for _, fields in entries] == [1, 2, 3]
        told = (listening.get_message(timeout=WAIT_SECONDS) for _ in range(4))
        pushed = [m["data"] for m in told if m is not None and m["type"] == "smessage"]
        assert [decode_event(data).user_seq for data in pushed] == [1, 2, 3]
    control = databases.superuser(0)
    assert control.run("SELECT count(*) FROM ledger.outbox") == [[0]]
    control.close()


def test_the_checkpoint_moves_forward_only_and_takes_its_applied_rows_along(
    databases: ShardsUnderTest, edge_urls: list[str]
) -> None:
    for shard, position in ((0, 1), (1, 2), (0, 4)):
        connection = databases.superuser(shard)
        connection.run("INSERT INTO ledger.fix_applied VALUES ('OUTCRY-O1', :p)", p=position)
        connection.close()
    shards = Shards(edge_urls, "gateway")
    fence = LedgerLeases(shards.control).take(["OUTCRY-O1"], "test", 60)
    assert fence is not None
    checkpoint = LedgerCheckpoint(shards, fence)
    assert checkpoint.through("OUTCRY-O1") == 0
    assert sorted(checkpoint.applied("OUTCRY-O1", 0)) == [1, 2, 4]
    checkpoint.move("OUTCRY-O1", 2)
    checkpoint.move("OUTCRY-O1", 1)
    assert checkpoint.through("OUTCRY-O1") == 2
    assert checkpoint.applied("OUTCRY-O1", 0) == [4]
    assert checkpoint.stale_orders(5.0) == []
    shards.close()


def test_unanswered_orders_are_read_in_rounds_so_that_none_hides_another(
    databases: ShardsUnderTest, edge_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fix_checkpoint, "STALE_PAGE", 2)
    application, edge = Shards(databases.urls(APPLICATION), "test"), Shards(edge_urls, "gateway")
    first, second = Trader(application, USER, LAKH), Trader(application, 63, LAKH)
    elsewhere = second.buy(1)
    orders = [first.buy(1) for _ in range(4)]
    first.told(orders[0], "0")
    first.cancel(orders[0])  # its change waits for an answer, since later than the others
    waiting = [*orders[1:], orders[0]]
    checkpoint = LedgerCheckpoint(edge, 0)

    def page() -> list[int]:
        return [order.order_id for order in checkpoint.stale_orders(0.0)]

    assert page() == [*waiting[:2], elsewhere]
    late = first.buy(1)
    assert page() == [*waiting[2:], elsewhere]
    assert page() == [elsewhere]  # what turned stale since belongs to the next round
    assert page() == [*waiting[:2], elsewhere]
    assert page() == [*waiting[2:], elsewhere]
    assert page() == [late, elsewhere]
    application.close()
    edge.close()
