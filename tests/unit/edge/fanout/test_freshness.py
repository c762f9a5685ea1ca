"""Stale prices: told to those who watch them, once, and on subscribing; ended when live again."""

from typing import Any

import msgspec

from edge.fanout.freshness import Freshness
from edge.fanout.limits import Limits
from functions.shared.wire.feed_state import FeedState
from functions.shared.wire.quotes import partition_of_symbol
from tests.support.fanout import FakeLink, Floor

SILENCE_SECONDS = Limits().feed_silence_seconds


def state(*symbols: str, fence: int = 1) -> FeedState:
    return FeedState(fence=fence, stale=frozenset(map(partition_of_symbol, symbols)), at=1)


class Watch:
    """A client that watches S1 and S2, of two partitions, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.floor = Floor()
        self.fresh = Freshness(self.floor.hub, lambda: self.now)
        self.client, self.link = self.floor.sign_in()
        self.floor.hub.subscribe(self.client, ["S1", "S2"], "ltp")
        assert partition_of_symbol("S1") != partition_of_symbol("S2")
        self.link.said()

    def look(self, seconds: float = 0.0) -> list[Any]:
        """What the client is told, so much later."""
        self.now += seconds
        changed = self.fresh.look()
        if changed:
            self.fresh.tell(self.client.group, changed)
        return [(o["stale"], o["symbols"]) for o in self.link.said() if o["type"] == "stale"]

    def say(self, link: FakeLink, client: Any, **action: Any) -> list[Any]:
        self.floor.reception.message(client, msgspec.json.encode(action))
        return [o for o in link.said() if o["type"] == "stale"]


def test_what_ingest_says_is_told_once_and_taken_back() -> None:
    watch = Watch()
    watch.fresh.take(state())
    assert watch.look() == []
    watch.fresh.take(state("S1"))
    assert watch.look() == [(True, ["S1"])]
    assert watch.look() == []
    watch.fresh.take(state("S2"))
    assert watch.look() == [(True, ["S2"]), (False, ["S1"])]
    watch.fresh.take(state())
    assert watch.look() == [(False, ["S2"])]


def test_when_nothing_is_said_any_more_every_price_is_stale_until_something_is() -> None:
    watch = Watch()
    watch.fresh.take(state("S1"))
    assert watch.look(SILENCE_SECONDS) == [(True, ["S1"])]
    assert watch.look(0.1) == [(True, ["S2"])]
    watch.fresh.take(state())
    assert watch.look() == [(False, ["S1", "S2"])]


def test_one_that_was_replaced_is_not_heeded_while_its_successor_speaks() -> None:
    watch = Watch()
    watch.fresh.take(state(fence=2))
    watch.fresh.take(state("S1", fence=1))
    assert watch.look() == []
    watch.look(SILENCE_SECONDS + 0.1)
    watch.fresh.take(state("S1", fence=1))  # a ledger restored from a backup counts from lower
    assert watch.look() == [(False, ["S2"])]


def test_who_subscribes_to_a_stale_symbol_is_told() -> None:
    watch = Watch()
    watch.fresh.take(state("S1"))
    watch.look()
    client, link = watch.floor.sign_in()
    told = watch.say(link, client, action="subscribe", symbols=["S1", "S2"], mode="ltp")
    assert told == [{"type": "stale", "symbols": ["S1"], "stale": True}]
