"""Clients that never read: what they cost those who do, counted and not timed."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

from edge.fanout.client import TOO_SLOW, Client
from edge.fanout.hub import GROUPS
from edge.fanout.limits import Limits
from tests.support.fanout import FakeLink, Floor, payload, quote

READERS, STALLED, TICKS = 40, 10, 12
SYMBOLS = [f"S{number}" for number in range(20)]


def _crowd(stalled: int) -> tuple[Floor, list[FakeLink], list[Client]]:
    """Readers, and so many whose write buffer is full, all of the same symbols."""
    floor = Floor()
    readers = [floor.sign_in(user_id, f"r{user_id}") for user_id in range(READERS)]
    others = [floor.sign_in(100 + n, f"s{n}")[0] for n in range(stalled)]
    for client in [*(client for client, _ in readers), *others]:
        floor.hub.subscribe(client, SYMBOLS, "quote")
    for client in others:
        client.block(0.0)
    return floor, [link for _, link in readers], others


def _work(floor: Floor) -> Counter[str]:
    """The calls, of Python and of C, that some rounds of prices and ticks are made of; what a
    collection of garbage calls beside them isn't theirs."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event in {"call", "c_call"} and "fanout" in frame.f_code.co_filename:
            calls[frame.f_code.co_qualname] += 1

    sys.setprofile(note)
    try:
        for seq in range(1, TICKS + 1):
            floor.hub.take([quote(symbol, seq) for symbol in SYMBOLS])
            floor.hub.wake()
            for group in range(GROUPS):
                floor.hub.tick(group)
    finally:
        sys.setprofile(None)
    return calls


def test_prices_cost_not_one_call_more_beside_clients_that_never_read() -> None:
    _work(_crowd(0)[0])  # names are rendered once in a process
    alone, readers_alone, _ = _crowd(0)
    beside, readers_beside, stalled = _crowd(STALLED)
    assert _work(beside) == _work(alone)
    assert (beside.hub.deliveries, beside.hub.flushes) == (alone.hub.deliveries, alone.hub.flushes)
    assert [link.data for link in readers_beside] == [link.data for link in readers_alone]
    assert all(client.pending is None for client in stalled)


def test_what_waits_for_a_client_that_never_reads_is_bounded_and_then_it_is_cut() -> None:
    floor = Floor(Limits(pending=3))
    client, link = floor.sign_in()
    other, heard = floor.sign_in(session_id="another")
    client.block(0.0)
    for seq in range(11, 15):
        assert link.closed is None
        floor.private.live(7, payload(seq))
    assert link.closed == (TOO_SLOW, "too slow")
    assert (link.data, client in floor.hub.clients()) == (b"", False)
    assert [each["user_seq"] for each in heard.said()] == [11, 12, 13, 14]
    assert not other.closed
