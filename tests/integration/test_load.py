"""The load generator on a fanout over real sockets and a real Valkey."""

import asyncio
import os
from collections.abc import Iterator

import pytest
import uvloop

from edge.fanout.limits import Limits
from infra.load.dialects import OUTCRY, outcry_hello
from infra.load.generator import Generator, Load
from infra.load.node import Node as NodeProcess
from infra.load.report import make_report
from infra.load.target import Target
from tests.support.eventually import until
from tests.support.fanout import quote
from tests.support.fanout_node import running_node
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that both run on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


def load_of(port: int, connections: int, users: int) -> Load:
    return Load(
        target=Target("127.0.0.1", port, "/v1/stream"),
        dialect=OUTCRY,
        hello=lambda number: outcry_hello(f"user:{number % users}", ["S1", "S2", "M&M"]),
        connections=connections,
        openings_per_second=200.0,
        look_at_each=2,
    )


async def test_it_counts_every_price_that_its_connections_were_sent(
    valkey: ValkeyUnderTest,
) -> None:
    async with running_node(valkey.url) as (node, port):
        generator = Generator(load_of(port, 10, users=10), NodeProcess(os.getpid()))
        opened = await generator.open()
        begun = generator.begin()
        await node.publish(quote("S1", 5), quote("M&M", 5))
        await until(lambda: sum(each.received for each in generator.connections) == 20)
        await node.publish(quote("S1", 9))
        await until(lambda: sum(each.received for each in generator.connections) == 30)
        window = generator.end(begun)
        await generator.close()
    assert (opened.connections, opened.waits.total, opened.turned_away) == (10, 10, {})
    assert (window.received, window.silent, window.lost, window.looking) == (30, 0, {}, 5)
    # Of those 30 half were looked at; 9 follows 5, so three of S1 were replaced on the way.
    assert (window.ages.total, window.replaced) == (15 + 5 * 3, 5 * 3)
    report = make_report(10, opened, window)
    assert report.whole
    assert report.node is not None
    assert report.numbers()["received"] == 30


async def test_a_bound_that_it_meets_is_told_by_its_code(valkey: ValkeyUnderTest) -> None:
    limits = Limits(connections_per_user=3)
    async with running_node(valkey.url, limits) as (_, port):
        generator = Generator(load_of(port, 5, users=1))
        opened = await generator.open()
        window = generator.end(generator.begin())
        await generator.close()
    assert (opened.connections, opened.refused) == (3, {4008: 2})
    report = make_report(5, opened, window)
    assert not report.whole
    assert "2 times by 4008: OUTCRY_FANOUT_CONNECTIONS_PER_USER" in report.text()


async def test_who_is_turned_away_comes_again_when_told_to(valkey: ValkeyUnderTest) -> None:
    limits = Limits(openings_per_second=4, retry_after_seconds=1)
    async with running_node(valkey.url, limits) as (_, port):
        generator = Generator(load_of(port, 8, users=8))
        opened = await generator.open()
        await generator.close()
    assert opened.connections == 8
    assert set(opened.turned_away) == {503}
    assert opened.waits.greatest >= 1_000_000


async def test_connections_that_the_node_ended_are_lost(valkey: ValkeyUnderTest) -> None:
    async with running_node(valkey.url) as (node, port):
        generator = Generator(load_of(port, 3, users=3))
        opened = await generator.open()
        begun = generator.begin()
        for client in node.hub.clients():
            client.close(4004, "the session was revoked")
        await until(lambda: all(each.transport is None for each in generator.connections))
        window = generator.end(begun)
        await generator.close()
    assert (opened.connections, window.lost, window.silent) == (3, {4004: 3}, 3)
