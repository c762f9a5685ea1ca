"""The fanout over real sockets and a real Valkey; tokens and the ledger are the test's own."""

import asyncio
import contextlib
import itertools
import json
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from edge.fanout.draining import drain
from edge.fanout.limits import Limits
from tests.support.eventually import WAIT_SECONDS, until
from tests.support.fanout import quote
from tests.support.fanout_node import Node, running_node
from tests.support.valkey import ValkeyUnderTest, valkey_server

JSON = Subprotocol("outcry.v1.json")


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the process runs on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


@contextlib.asynccontextmanager
async def running(
    valkey: ValkeyUnderTest, limits: Limits | None = None
) -> AsyncIterator[tuple[Node, str]]:
    async with running_node(valkey.url, limits) as (node, port):
        yield node, f"ws://127.0.0.1:{port}/v1/stream"


def dial(url: str, token: str | None = "user:7", **more: Any) -> connect:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(
        url, additional_headers=headers, subprotocols=[JSON], proxy=None, close_timeout=1, **more
    )


async def hear(stream: ClientConnection, *kinds: str, symbol: str | None = None) -> Any:
    """The next object of one of these types, and of that symbol; others are passed over."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            message = json.loads(await stream.recv())
            for each in message if isinstance(message, list) else [message]:
                if each["type"] in kinds and symbol in {None, each.get("symbol")}:
                    return each


async def closed_with(stream: ClientConnection) -> int:
    async with asyncio.timeout(WAIT_SECONDS):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await stream.recv()
    assert stream.close_code is not None
    return stream.close_code


async def test_a_quote_travels_from_the_bus_to_its_subscriber(valkey: ValkeyUnderTest) -> None:
    async with running(valkey) as (stack, url), dial(url) as stream:
        assert stream.subprotocol == JSON
        await stack.publish(quote("S1", 1))
        await stream.send('{"action":"subscribe","symbols":["S1","M&M"],"mode":"full"}')
        assert (await hear(stream, "subscribed"))["symbols"] == ["S1", "M&M"]
        await stack.publish(quote("M&M", 2), quote("S3", 3))
        got = await hear(stream, "quote", symbol="M&M")  # S1's may be in the same message
        assert (got["seq"], got["ltp"]) == (2, "101.50")
        await stream.send('{"action":"ping","id":5}')
        assert await hear(stream, "pong") == {"type": "pong", "id": 5}
        assert await hear(stream, "heartbeat") == {"type": "heartbeat"}


async def test_a_binary_client_gets_packets_for_quotes_and_json_for_the_rest(
    valkey: ValkeyUnderTest,
) -> None:
    both = [Subprotocol("outcry.v1.binary"), JSON]
    async with running(valkey) as (stack, url):
        stream = await connect(
            url,
            additional_headers={"Authorization": "Bearer user:7"},
            subprotocols=both,
            proxy=None,
        )
        async with stream, asyncio.timeout(WAIT_SECONDS):
            assert stream.subprotocol == both[0]
            await stream.send('{"action":"subscribe","symbols":["S1"],"mode":"quote"}')
            texts = set()
            while "subscribed" not in texts:
                texts.add(json.loads(await stream.recv())["type"])
            await stack.publish(quote("S1", 3))
            while isinstance(message := await stream.recv(), str):
                texts.add(json.loads(message)["type"])
            assert (len(message), message[:4]) == (2 + 2 + 84, b"\0\1\0\x54")
            await stack.commit()
            while "funds" not in texts or "portfolio" not in texts:
                message = await stream.recv()
                if isinstance(message, str):
                    texts.add(json.loads(message)["type"])
            assert texts - {"heartbeat"} == {"auth", "subscribed", "portfolio", "funds"}


async def test_private_events_survive_the_loss_of_valkey(valkey: ValkeyUnderTest) -> None:
    async with running(valkey) as (stack, url), dial(url) as stream:
        await hear(stream, "auth")
        await until(lambda: all(c.user_seq == 0 for c in stack.hub.clients()))
        await stack.commit()
        assert (await hear(stream, "funds"))["user_seq"] == 1
        valkey.stop(signal.SIGKILL)
        await stack.commit(announced=False)
        valkey.start()
        assert (await hear(stream, "funds"))["user_seq"] == 2
        await stream.send('{"action":"resume","seq":0}')
        assert [(await hear(stream, "funds"))["user_seq"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("token", "code"), [("TOKEN_EXPIRED", 4004), ("TOKEN_INVALID", 4001), ("", 4001)]
)
async def test_a_refused_token_closes_with_its_code(
    valkey: ValkeyUnderTest, token: str, code: int
) -> None:
    async with running(valkey) as (_, url):
        async with dial(url, None) as stream:
            await stream.send(json.dumps({"action": "auth", "token": token}))
            assert await closed_with(stream) == code
        if token:
            async with dial(url, token) as stream:
                assert await closed_with(stream) == code


async def test_an_ended_session_is_closed(valkey: ValkeyUnderTest) -> None:
    async with running(valkey) as (stack, url), dial(url) as stream:
        await hear(stream, "auth")
        await stack.tell("sessions.ended", "session-7")
        assert await closed_with(stream) == 4004


async def test_a_message_too_big_or_not_text_is_refused(valkey: ValkeyUnderTest) -> None:
    async with running(valkey) as (_, url), dial(url) as stream:
        await stream.send(b"\x00")
        assert (await hear(stream, "error"))["code"] == "NOT_TEXT"
        await stream.send(["{", '"action":"ping","id":9}'])
        assert (await hear(stream, "pong"))["id"] == 9
        await stream.send("x" * 16_385)
        assert await closed_with(stream) == 1009


async def test_handshakes_that_can_not_be_served_get_a_status(valkey: ValkeyUnderTest) -> None:
    async with running(valkey, Limits(connections=1)) as (_, url):
        with pytest.raises(InvalidStatus) as refused:
            await dial(url.replace("/v1/stream", "/other"))
        assert refused.value.response.status_code == 404
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, subprotocols=[Subprotocol("outcry.v2.json")], proxy=None)
        assert refused.value.response.status_code == 400
        async with dial(url):
            with pytest.raises(InvalidStatus) as refused:
                await dial(url)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"]


async def test_a_drain_announces_and_closes_with_1012(valkey: ValkeyUnderTest) -> None:
    async with running(valkey) as (stack, url), dial(url) as stream:
        await hear(stream, "auth")
        draining = asyncio.create_task(drain(stack.server))
        assert (await hear(stream, "draining"))["type"] == "draining"
        assert await closed_with(stream) == 1012
        await asyncio.wait_for(draining, WAIT_SECONDS)


async def test_a_client_that_does_not_read_is_cut_while_others_are_served(
    valkey: ValkeyUnderTest,
) -> None:
    symbols = [f"S{n}" for n in range(400)]
    subscribe = json.dumps({"action": "subscribe", "symbols": symbols, "mode": "full"})
    async with (
        running(valkey, Limits(blocked_seconds=0.5)) as (stack, url),
        dial(url) as reader,
        dial(url, max_queue=1) as stalled,
    ):
        for stream in (reader, stalled):
            await stream.send(subscribe)
            await hear(stream, "subscribed")
        stalled.transport.pause_reading()
        newest = 0
        for seq in itertools.count(1):
            stack.hub.take([quote(symbol, seq) for symbol in symbols])
            stack.hub.wake()
            newest = (await hear(reader, "quote"))["seq"]
            if len(stack.hub) == 1:
                break
        assert stack.server.closes == {4002: 1}
        assert newest > 1
        stalled.transport.abort()
