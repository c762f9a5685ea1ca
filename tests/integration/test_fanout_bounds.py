"""Every bound of the stream, against a client that misbehaves in just that way.

After each the node must serve others, and nothing of the client may be left (running_node).
"""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
import uvloop
from websockets.frames import Opcode

from edge.fanout.draining import drain
from edge.fanout.limits import Limits
from tests.support.eventually import until
from tests.support.fanout import quote
from tests.support.fanout_node import running_node
from tests.support.raw_stream import RawStream, frame, handshake
from tests.support.valkey import ValkeyUnderTest, valkey_server

PING = b'{"action":"ping","id":1}'
HUGE = b"\x82\xff" + (1 << 40).to_bytes(8) + bytes(4)
SYMBOLS = [f"S{n}" for n in range(400)]


def subscribe(symbols: list[str]) -> bytes:
    action = {"action": "subscribe", "symbols": symbols, "mode": "full"}
    return frame(json.dumps(action).encode())


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the process runs on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


async def serves(port: int) -> None:
    """A well-behaved client is answered."""
    stream = await RawStream.open(port)
    await stream.say(frame(PING))
    await stream.hear(b'"pong"')
    stream.close()


async def test_who_does_not_open_or_sign_in_in_time_is_gone(valkey: ValkeyUnderTest) -> None:
    limits = Limits(handshake_seconds=0.3, sign_in_seconds=0.3)
    async with running_node(valkey.url, limits) as (node, port):
        silent = await RawStream.connect(port)
        half = await RawStream.connect(port)
        await half.say(handshake()[:60])
        dribbling = await RawStream.connect(port)

        async def dribble() -> None:
            for number in range(60):
                await dribbling.say(handshake()[number : number + 1])
                await asyncio.sleep(0.05)

        slow = asyncio.create_task(dribble())
        stranger = await RawStream.connect(port)
        await stranger.say(handshake(None))
        await stranger.hear(b"101 Switching Protocols")
        assert [await each.status() for each in (silent, half, dribbling)] == [408, 408, 408]
        assert await stranger.close_code() == 4001
        assert node.server.closes == {408: 3, 4001: 1}
        slow.cancel()
        await serves(port)


async def test_a_handshake_may_come_in_pieces(valkey: ValkeyUnderTest) -> None:
    async with running_node(valkey.url) as (_, port):
        stream = await RawStream.connect(port)
        request = handshake()
        for start in range(0, len(request), 40):
            await stream.say(request[start : start + 40])
            await asyncio.sleep(0)
        await stream.hear(b'"SIGNED_IN"')
        stream.close()


async def test_what_is_no_handshake_is_refused(valkey: ValkeyUnderTest) -> None:
    endless = handshake()[:-2] + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1_000) for n in range(100))
    async with running_node(valkey.url) as (node, port):
        for request, status in (
            (endless, 431),
            (b"\x16\x03\x01\x00\xf4\x01\r\n" * 20, 0),  # TLS, and none is spoken here
            (b"GET / HTTP/1.1\r\nHost: raw\r\n\r\n", 404),
            (b"GET /v1/stream HTTP/1.1\r\nHost: raw\r\n\r\n", 426),
        ):
            stream = await RawStream.connect(port)
            await stream.say(request)
            assert await stream.status() == status
        await until(lambda: not node.server.connections)
        await serves(port)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xf1\x80" + bytes(4), 1002),  # reserved bits
        (b"\x8b\x80" + bytes(4), 1002),  # an opcode that there is not
        (frame(b"", Opcode.CONT), 1002),  # the end of what never began
        (frame(b"", Opcode.TEXT, fin=False) * 2, 1002),  # a message within a message
        (frame(b"x" * 126, Opcode.PING), 1002),  # too long for a control frame
        (frame(b"\xff\xfe"), 1007),
        (HUGE, 1009),
        (frame(b"x" * 2_000_000), 1009),
        (frame(b"x" * 9_000, fin=False) + frame(b"x" * 9_000, Opcode.CONT, fin=False), 1009),
        (frame(b"{", fin=False) + frame(b"", Opcode.CONT, fin=False) * 9_000, 1008),
        (frame(b"", Opcode.PING) * 50_000, 1008),
        (frame(b"", Opcode.PONG) * 200, 1008),
        (frame(PING) * 200, 1008),
        (frame(b"?") * 50, 1008),
    ],
    ids=[
        "unmasked", "reserved", "opcode", "continuation", "nested", "long-control", "not-utf8",
        "announced-huge", "huge", "fragments-too-big", "fragments-without-end", "ping-flood",
        "pong-flood", "message-flood", "garbage-flood",
    ],
)  # fmt: skip
async def test_a_broken_rule_ends_the_connection_with_its_code(
    valkey: ValkeyUnderTest, data: bytes, code: int
) -> None:
    async with running_node(valkey.url) as (node, port):
        stream = await RawStream.open(port)
        saying = asyncio.create_task(stream.say(data))
        assert await stream.close_code() == code
        assert node.server.closes == {code: 1}
        saying.cancel()
        await serves(port)


async def test_messages_before_the_sign_in_are_bounded(valkey: ValkeyUnderTest) -> None:
    async with running_node(valkey.url, Limits(backlog=3)) as (node, port):
        stream = await RawStream.connect(port)
        await stream.say(handshake("user:7") + frame(PING) * 5)
        assert await stream.close_code() == 1008
        assert node.server.closes == {1008: 1}


@pytest.mark.parametrize("bytes_a_time", [0, 1])
async def test_who_reads_too_slowly_is_cut_and_others_miss_nothing(
    valkey: ValkeyUnderTest, bytes_a_time: int
) -> None:
    """Nobody waits for it: another sees every account event and each symbol's latest price."""
    limits = Limits(blocked_seconds=0.3, messages_per_second=1_000)
    async with running_node(valkey.url, limits) as (node, port):
        slow = await RawStream.open(port, receive_buffer=4_096)
        other = await RawStream.open(port)
        await until(lambda: all(each.user_seq == 0 for each in node.hub.clients()))
        for stream in (slow, other):
            await stream.say(subscribe(SYMBOLS))
            await stream.hear(b'"subscribed"')
        seq = 0
        while len(node.hub) == 2:
            seq += 1
            node.hub.take([quote(symbol, seq) for symbol in SYMBOLS])
            node.hub.wake()
            await node.commit()
            other.data = other.data[-4_096:]
            await other.hear(b'"seq":%d,' % seq)
            if bytes_a_time:
                await slow.read(bytes_a_time)
            assert seq < 5_000
        assert node.server.closes == {4002: 1}
        node.hub.take([quote(symbol, seq + 1) for symbol in SYMBOLS])
        for symbol in SYMBOLS:
            await other.hear(b'"symbol":"%s"' % symbol.encode())
        await other.say(frame(b'{"action":"resume","seq":%d}' % (seq - 1)))
        await other.hear(b'"user_seq":%d' % seq)
        slow.reset()
        other.close()


async def test_who_never_closes_is_cut_off(valkey: ValkeyUnderTest) -> None:
    async with running_node(valkey.url, Limits(closing_seconds=0.2)) as (node, port):
        stream = await RawStream.open(port)
        node.reception.session_ended("session-7")
        await stream.hear(b"SESSION_ENDED")
        assert node.server.admission.inside == 1  # it counts until its socket is gone
        await until(lambda: not node.server.connections)
        with pytest.raises(ConnectionError):
            await stream.hear(b"nothing more")
        stream.close()


async def test_connections_from_one_address_are_bounded(valkey: ValkeyUnderTest) -> None:
    limits = Limits(connections_per_address=40, openings_per_second=5_000)
    async with running_node(valkey.url, limits) as (node, port):
        inside = [await RawStream.open(port) for _ in range(40)]
        for _ in range(960):
            stream = await RawStream.connect(port)
            await stream.say(handshake())
            assert await stream.status() == 429
            assert re.search(rb"Retry-After: ([1-9]|10)\r\n", stream.data)
        assert node.server.admission.refused == {429: 960}
        inside.pop().reset()
        await until(lambda: node.server.admission.inside == 39)
        await serves(port)
        for stream in inside:
            stream.close()


async def test_a_storm_is_let_in_by_and_by(valkey: ValkeyUnderTest) -> None:
    """Who is refused comes in later; who isn't even refused is reset at once."""
    async with running_node(valkey.url, Limits(openings_per_second=2)) as (node, port):
        admission = node.server.admission
        silent = [await RawStream.connect(port) for _ in range(50)]
        await until(lambda: node.server.accepted + admission.refused[503] == 50)
        await until(lambda: len(node.server.connections) - admission.inside <= 2)
        for stream in silent:
            stream.reset()
        tries = 0
        while True:
            stream = await RawStream.connect(port)
            await stream.say(handshake())
            await stream.read(65_536)
            stream.close()
            tries += 1
            if stream.data.startswith(b"HTTP/1.1 101"):
                break
            assert stream.data.startswith(b"HTTP/1.1 503") or not stream.data
            assert tries < 100_000
        assert admission.refused[503] >= 1


async def test_a_drain_ends_in_time_whoever_does_not_answer(valkey: ValkeyUnderTest) -> None:
    limits = Limits(drain_seconds=2.0)
    async with running_node(valkey.url, limits) as (node, port):
        polite, mute = await RawStream.open(port), await RawStream.open(port)
        half = await RawStream.connect(port)
        await half.say(handshake()[:60])
        await until(lambda: len(node.hub) == 3)
        draining = asyncio.create_task(drain(node.server))
        assert await polite.close_code() == 1012
        assert b'"draining"' in polite.data
        assert await half.status() == 503
        await draining
        await until(lambda: not node.server.connections)
        with pytest.raises(ConnectionError):
            await (await RawStream.connect(port)).hear(b"nothing")
        mute.reset()


async def test_churn_leaves_nothing_behind(valkey: ValkeyUnderTest) -> None:
    """Two thousand clients that come, subscribe and go in every way, half of them mid-way."""
    async with running_node(valkey.url, Limits(openings_per_second=100_000)) as (node, port):

        async def come_and_go(number: int) -> None:
            stream = await RawStream.connect(port)
            request = handshake(f"user:{number % 7}")
            if number % 4 == 0:
                await stream.say(request[: number % len(request)])
            else:
                await stream.say(request + subscribe(SYMBOLS[:5]))
                await stream.hear(b'"subscribed"')
            if number % 3 == 0 and number % 4:
                await stream.say(frame(b"", Opcode.CLOSE))
                await stream.ended()
                stream.close()
            elif number % 3 == 1:
                stream.reset()
            else:
                stream.close()

        for start in range(0, 2_000, 50):
            node.hub.take([quote(symbol, start + 1) for symbol in SYMBOLS[:20]])
            node.hub.wake()
            await asyncio.gather(*(come_and_go(n) for n in range(start, start + 50)))
        await until(lambda: not node.server.connections)
        assert (len(node.hub), node.reception.leftovers) == (0, 0)
        assert node.server.accepted >= 1_500
