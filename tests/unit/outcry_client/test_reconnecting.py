import asyncio
from collections.abc import Sequence

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from outcry_client import AccountEvent, Limits, Link, Notice, Price, reconnecting
from outcry_client.reconnecting import ReconnectingStream, SilenceError
from outcry_client.stream import read

URLS = ["ws://a", "ws://b"]


class Room:
    """A stream that never dials, a clock that the test moves, and what a listener was told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.links: list[Link] = []
        limits = Limits(stale_seconds=0.01, silence_seconds=0.02, retry_after_most_seconds=60)
        self.stream = ReconnectingStream(
            self._addresses, self, read, limits=limits, monotonic=lambda: self.now
        )

    async def _addresses(self) -> Sequence[str]:
        return URLS

    async def bearer(self) -> str:
        return "t"

    async def renew(self, refused: str) -> None: ...

    def quotes(self, quotes: Sequence[Price]) -> None: ...

    def account(self, events: Sequence[AccountEvent]) -> None: ...

    def link(self, link: Link, detail: str) -> None:
        self.links.append(link)

    def notice(self, notice: Notice) -> None: ...

    async def reload(self) -> int:
        return 0


async def test_a_program_that_was_busy_itself_is_given_another_look_at_its_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnecting, "LOOK_AGAIN_SECONDS", 0)
    room = Room()
    room.stream._listening_since, room.now = 0.0, 100.0
    watching = asyncio.create_task(room.stream._watch_silence(room))
    await asyncio.sleep(0)
    room.stream._listening_since = 100.0  # what had come meanwhile is read
    for _ in range(5):
        await asyncio.sleep(0)
    assert not watching.done()
    room.now = 200.0
    with pytest.raises(SilenceError):
        await watching


async def test_a_load_that_takes_long_is_no_silence() -> None:
    room = Room()
    room.stream._listening_since, room.now = None, 100.0
    watching = asyncio.create_task(room.stream._watch_silence(room))
    await asyncio.sleep(0)
    room.now = 200.0
    await asyncio.sleep(0)
    assert not watching.done()
    assert room.links == []
    watching.cancel()


@pytest.mark.parametrize(
    ("told", "wait"),
    [("7", 7.0), ("9999", 60.0), ("Wed, 21 Oct 2026 07:28 GMT", 0.0), ("", 0.0)],
)
async def test_a_node_that_says_when_to_come_back_is_left_alone_for_as_long(
    told: str, wait: float
) -> None:
    room = Room()
    refused = InvalidStatus(Response(503, "Service Unavailable", Headers({"Retry-After": told})))
    room.stream._note_refusal("ws://a", refused)
    assert room.stream._addresses.choose(["ws://a"], 0.0) == ("ws://a", wait)
    if wait:
        assert room.stream._addresses.choose(URLS, 0.0) == ("ws://b", 0.0)


def test_the_link_is_told_of_when_it_changes() -> None:
    room = Room()
    for link in (Link.LIVE, Link.LIVE, Link.STALE, Link.LIVE):
        room.stream._tell(room, link, "")
    assert room.links == [Link.LIVE, Link.STALE, Link.LIVE]
