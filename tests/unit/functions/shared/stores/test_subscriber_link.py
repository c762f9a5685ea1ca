"""One connection of a subscriber, on a transport that only keeps what is written to it."""

import asyncio
from typing import cast

import hiredis
import pytest

from functions.shared.stores.subscriber_link import CHANNELS_PER_COMMAND, Link
from functions.shared.stores.valkey_slots import slot_of


class Transport:
    """What was sent, and whether the connection was ended."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.aborted = False
        self._reader = hiredis.Reader()

    def write(self, data: bytes) -> None:
        self._reader.feed(data)
        while (command := self._reader.gets()) is not False:
            self.commands.append([word.decode() for word in cast(list[bytes], command)])

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Owner:
    """What it was told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def confirmed(self, channel: str) -> None:
        self.told.append(("confirmed", channel))

    def dropped(self, channel: str) -> None:
        self.told.append(("dropped", channel))

    def moved(self, slot: int) -> None:
        self.told.append(("moved", slot))

    def deliver(self, channel: bytes, payload: bytes) -> None:
        self.told.append((channel, payload))


@pytest.fixture
def parts() -> tuple[Link, Owner, Transport]:
    owner, transport = Owner(), Transport()
    link = Link(owner, owner.deliver)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    return link, owner, transport


def push(*words: bytes) -> bytes:
    return b">%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def test_a_command_has_channels_of_one_slot_and_not_too_many(
    parts: tuple[Link, Owner, Transport],
) -> None:
    link, _, transport = parts
    many = [f"user:{{u01}}:{number}" for number in range(CHANNELS_PER_COMMAND + 1)]
    link.greet(None, "secret")
    link.probe("a{x}")
    link.subscribe([*many, "quotes:{p02}"])
    link.unsubscribe(["quotes:{p02}"])
    greeting, probe, *rest = transport.commands
    assert greeting == ["HELLO", "3", "AUTH", "default", "secret"]
    assert probe == ["EXISTS", "a{x}"]
    assert [words[0] for words in rest] == ["SSUBSCRIBE"] * 3 + ["SUNSUBSCRIBE"]
    assert sorted(channel for words in rest[:3] for channel in words[1:]) == sorted(
        [*many, "quotes:{p02}"]
    )
    for _, *channels in rest:
        assert len({slot_of(channel) for channel in channels}) == 1
        assert len(channels) <= CHANNELS_PER_COMMAND


def test_what_the_server_pushes_is_told_in_order_however_it_is_cut(
    parts: tuple[Link, Owner, Transport],
) -> None:
    link, owner, transport = parts
    counted = b">3\r\n$%d\r\n%s\r\n$1\r\nc\r\n:1\r\n"
    stream = (
        b"%1\r\n+server\r\n+valkey\r\n"
        + counted % (10, b"ssubscribe")
        + push(b"smessage", b"c", b"payload")
        + b":0\r\n"  # of a probe
        + counted % (12, b"sunsubscribe")
        + b"-MOVED 866 10.0.0.1:7000\r\n-ASK 866 10.0.0.1:7000\r\n"
    )
    for at in range(len(stream)):
        link.data_received(stream[at : at + 1])
    assert owner.told == [
        ("confirmed", "c"), (b"c", b"payload"), ("dropped", "c"), ("moved", 866),
    ]  # fmt: skip
    assert not transport.aborted


@pytest.mark.parametrize(
    "refusal", [b"-CLUSTERDOWN no\r\n", b"-WRONGPASS no\r\n", b"-LOADING\r\n", b"!nonsense\r\n"]
)
def test_a_connection_that_is_of_no_use_is_ended(
    parts: tuple[Link, Owner, Transport], refusal: bytes
) -> None:
    link, owner, transport = parts
    link.data_received(refusal)
    assert transport.aborted
    link.probe("a")  # nothing is written any more
    assert (transport.commands, owner.told) == ([], [])
