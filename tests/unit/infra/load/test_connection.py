"""What a load's client makes of a server's answers."""

from typing import Any, cast

import pytest
from websockets.frames import Close, CloseCode, Frame, Opcode

from edge.fanout.admission import Admission
from edge.fanout.limits import Limits
from infra.load.ages import Ages, Watch
from infra.load.connection import LetDown, LoadConnection, TurnedAway
from infra.load.dialects import OUTCRY, outcry_hello
from infra.load.frames import CLOSE, PING, close_code, masked_text
from tests.unit.infra.load.test_ages import START, price

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
SUBSCRIBED = b'\x81\x17{"type":"subscribed"...}'


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.data, self.aborted, self.closed = b"", False, False

    def write(self, data: bytes) -> None:
        self.data += data

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True


def connected(watch: Watch | None = None) -> tuple[LoadConnection, Wire]:
    client, wire = LoadConnection(OUTCRY, "/v1/stream", b"hello", watch), Wire()
    transport: Any = wire
    client.connection_made(transport)
    return client, wire


def closing(code: int, reason: str = "") -> bytes:
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)


async def test_it_says_its_hello_behind_the_handshake_and_counts_what_comes() -> None:
    ages = Ages()
    ages.counting = True
    client, wire = connected(Watch(OUTCRY.price, ages))
    asked, wire.data = wire.data, b""
    assert asked.startswith(b"GET /v1/stream HTTP/1.1\r\n")
    assert b"Sec-WebSocket-Protocol: outcry.v1.json\r\n" in asked
    client.data_received(UPGRADED[:20])
    assert wire.data == b""
    client.data_received(UPGRADED[20:] + SUBSCRIBED[:9])
    assert (wire.data, client.opened.done()) == (b"hello", False)
    client.data_received(SUBSCRIBED[9:])
    assert client.opened.done()
    client.data_received(price(1, START) + price(1, START, "S2"))
    assert (client.received, ages.counted.total) == (2, 2)
    client.ping()
    assert wire.data == b"hello" + PING


async def test_a_refusal_says_when_to_come_again() -> None:
    refusal = Admission(Limits(connections=1), randint=lambda _, __: 7)
    refusal.enter("a", 0.0)
    said = refusal.enter("b", 0.0)
    assert said is not None
    client, wire = connected()
    client.data_received(said.response())
    with pytest.raises(TurnedAway) as told:
        await client.opened
    assert (told.value.status, told.value.seconds, wire.aborted) == (503, 7.0, True)


@pytest.mark.parametrize(
    ("answer", "status"), [(b"HTTP/1.1 404 Not Found\r\n\r\n", 404), (b"\r\n\r\n", None)]
)
async def test_who_is_not_a_stream_is_not_asked_again(answer: bytes, status: int | None) -> None:
    client, _ = connected()
    client.data_received(answer)
    with pytest.raises(LetDown) as told:
        await client.opened
    assert told.value.status == status


async def test_a_server_that_asks_whether_it_is_there_is_answered() -> None:
    wire, dialect = Wire(), OUTCRY._replace(ready=b"ready{}", asks=b"{}", answer=b"here")
    client, transport = LoadConnection(dialect, "/", b"hello", None), cast(Any, wire)
    client.connection_made(transport)
    client.data_received(UPGRADED + b"ready{}")
    assert wire.data.endswith(b"hello")
    client.data_received(b"{prices}")
    assert wire.data.endswith(b"hello")
    client.data_received(b"{}")
    assert wire.data.endswith(b"hellohere")


@pytest.mark.parametrize("answer", [b"", UPGRADED[:20], UPGRADED])
async def test_who_is_reset_without_a_word_may_come_again(answer: bytes) -> None:
    client, _ = connected()
    client.data_received(answer)
    client.connection_lost(ConnectionResetError())
    with pytest.raises(TurnedAway) as told:
        await client.opened
    assert (told.value.status, told.value.seconds) == (0, None)


@pytest.mark.parametrize(("code", "error"), [(4008, LetDown), (1012, TurnedAway)])
async def test_a_close_before_the_answer_is_a_refusal(code: int, error: type[Exception]) -> None:
    client, _ = connected()
    client.data_received(UPGRADED + closing(code, "so it is"))
    client.connection_lost(None)
    with pytest.raises(error) as told:
        await client.opened
    assert getattr(told.value, "status", None) == code


async def test_it_remembers_how_it_ended() -> None:
    for said, code in ((price(1, START) + closing(4002, "too slow"), 4002), (b"", None)):
        client, wire = connected()
        client.data_received(UPGRADED + SUBSCRIBED)
        client.data_received(said)
        assert (wire.closed, wire.data.endswith(CLOSE)) == (code is not None, code is not None)
        client.connection_lost(None)
        client.ping()
        assert (client.ended_by, client.opened.exception()) == (code, None)


def test_a_close_code_is_found_behind_bytes_that_look_like_one() -> None:
    for code in (CloseCode.NORMAL_CLOSURE, CloseCode.SERVICE_RESTART):
        for before in (b"", b"\x88", b"\x88\x05abc", b"x\x88\x02"):
            assert close_code(before + closing(code, "bye")) == code
    assert close_code(b"") is close_code(b"\x88\x00") is close_code(b"prices") is None


def test_a_client_s_frames_are_what_the_library_would_write_for_a_zero_key() -> None:
    for text in ("", "x" * 125, "x" * 126, "x" * 65_535):
        data = masked_text(text)
        head = len(data) - len(text)
        opcode_and_size = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)[: head - 4]
        masked = bytes((opcode_and_size[0], opcode_and_size[1] | 0x80)) + opcode_and_size[2:]
        assert data == masked + bytes(4) + text.encode()
    assert CLOSE[0] & 0x0F == Opcode.CLOSE


def test_a_long_subscription_is_said_in_messages_that_are_let_in() -> None:
    said = outcry_hello("t" * 900, [f"SYMBOL{number:06}" for number in range(3_000)])
    sizes = []
    while said:
        size, said = int.from_bytes(said[2:4], "big"), said[8:]
        sizes.append(size)
        said = said[size:]
    assert len(sizes) == 1 + 6
    assert max(sizes) <= Limits().message_bytes
