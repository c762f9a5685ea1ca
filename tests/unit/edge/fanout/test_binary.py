"""`outcry.v1.binary`: what protocol.md lays out, read by a decoder that knows nothing of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from edge.fanout.actions import Mode
from edge.fanout.binary import PACKERS
from edge.fanout.encodings import BINARY
from edge.fanout.frames import packets_frame
from functions.shared.wire.quotes import Quote
from tests.support.fanout import FakeLink, Floor, quote, read_messages

LENGTHS = {36: "ltp", 84: "quote", 284: "full"}


def read_packets(message: bytes) -> list[dict[str, Any]]:
    """The packets of a binary message, by the offsets of protocol.md."""

    def number(at: int, size: int, *, signed: bool = True) -> int:
        return int.from_bytes(message[at : at + size], "big", signed=signed)

    count, at, packets = number(0, 2, signed=False), 2, []
    for _ in range(count):
        length = number(at, 2, signed=False)
        start, at = at + 2, at + 2 + length
        packet: dict[str, Any] = {
            "mode": LENGTHS[length],
            "token": number(start, 4, signed=False),
            "seq": number(start + 4, 8, signed=False),
            "timestamp": number(start + 12, 8, signed=False),
            "ltp": number(start + 20, 8),
            "close": number(start + 28, 8),
        }
        if length >= 84:
            names = ("open", "high", "low", "average", "volume", "last_quantity")
            packet |= {name: number(start + 36 + 8 * n, 8) for n, name in enumerate(names)}
        if length == 284:
            levels = [start + 84 + 20 * n for n in range(10)]
            packet["depth"] = [
                (number(p, 8), number(p + 8, 8), number(p + 16, 4, signed=False)) for p in levels
            ]
        packets.append(packet)
    assert at == len(message)
    return packets


def expected(quote: Quote, mode: str) -> dict[str, Any]:
    packet: dict[str, Any] = {
        "mode": mode, "token": quote.token, "seq": quote.seq, "timestamp": quote.timestamp_ms,
        "ltp": quote.ltp, "close": quote.close,
    }  # fmt: skip
    if mode != "ltp":
        packet |= {
            name: getattr(quote, name)
            for name in ("open", "high", "low", "average", "volume", "last_quantity")
        }
    if mode == "full":
        flat = quote.levels
        packet["depth"] = [flat[n : n + 3] for n in range(0, 30, 3)]
    return packet


SIGNED = st.integers(-(2**63), 2**63 - 1)
UNSIGNED = st.integers(0, 2**64 - 1)
TOKEN = st.integers(0, 2**32 - 1)
LEVELS = st.lists(st.tuples(SIGNED, SIGNED, TOKEN), min_size=10, max_size=10)
QUOTES = st.builds(
    Quote, st.just("S1"), TOKEN, UNSIGNED, UNSIGNED, *[SIGNED] * 8,
    LEVELS.map(lambda levels: tuple(number for level in levels for number in level)),
)  # fmt: skip
MODES: st.SearchStrategy[Mode] = st.sampled_from(["ltp", "quote", "full"])


@given(told=st.lists(st.tuples(QUOTES, MODES), min_size=1, max_size=8))
def test_what_is_packed_is_read_back_by_its_layout(told: list[tuple[Quote, Mode]]) -> None:
    pieces = [PACKERS[mode]("quote", each) for each, mode in told]
    ((opcode, payload),) = read_messages(packets_frame(pieces))
    assert opcode is Opcode.BINARY
    assert read_packets(payload) == [expected(each, mode) for each, mode in told]


def test_more_packets_than_a_message_holds_go_in_several() -> None:
    pieces = [PACKERS["full"]("quote", quote("S1", seq)) for seq in range(1, 601)]
    messages = read_messages(packets_frame(pieces))
    seqs = [packet["seq"] for _, payload in messages for packet in read_packets(payload)]
    assert (len(messages), seqs) == (3, list(range(1, 601)))


def heard(link: FakeLink) -> tuple[list[str], list[dict[str, Any]]]:
    """The types of the JSON objects and the packets written since this was last asked."""
    texts, packets = [], []
    for opcode, payload in read_messages(link.data):
        if opcode is Opcode.BINARY:
            packets += read_packets(payload)
        else:
            body = json.loads(payload)
            texts += [each["type"] for each in (body if isinstance(body, list) else [body])]
    link.data = b""
    return texts, packets


@pytest.mark.parametrize("mode", ["ltp", "quote", "full"])
def test_quotes_and_snapshots_are_packets_and_all_else_is_json(mode: Mode) -> None:
    floor = Floor()
    floor.hub.take([quote("S1", 4)])
    client, link = floor.sign_in(encoding=BINARY)
    _, other = floor.sign_in()
    floor.say(client, f'{{"action":"subscribe","symbols":["S1"],"mode":"{mode}"}}')
    assert heard(link) == (["subscribed"], [expected(quote("S1", 4), mode)])
    floor.hub.take([quote("S1", 5)])
    floor.tick()
    assert heard(link) == ([], [expected(quote("S1", 5), mode)])
    assert other.said() == []
    floor.say(client, '{"action":"ping","id":1}')
    assert heard(link) == (["pong"], [])
    for _ in range(10):
        floor.tick()
    assert heard(link) == (["heartbeat"], [])


def test_a_least_move_holds_packets_back_too() -> None:
    floor = Floor()
    floor.hub.take([quote("S1", 1, 1_000_000)])
    client, link = floor.sign_in(encoding=BINARY)
    floor.say(client, '{"action":"subscribe","symbols":["S1"],"min_move":"1"}')
    heard(link)
    floor.hub.take([quote("S1", 2, 1_000_100)])
    floor.tick()
    assert heard(link) == ([], [])
    floor.hub.take([quote("S1", 3, 1_010_000)])
    floor.tick()
    assert [packet["seq"] for packet in heard(link)[1]] == [3]
