"""Quotes to watchers: newest values, once, in the mode asked for, and nobody else's."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.fanout.client import Client
from edge.fanout.hub import HEARTBEAT_TICKS
from edge.fanout.limits import Limits
from tests.support.fanout import FakeLink, Floor, quote


def prices(objects: list[Any]) -> list[tuple[str, int]]:
    return [(o["symbol"], o["seq"]) for o in objects if o["type"] == "quote"]


def busy(floor: Floor) -> tuple[Client, FakeLink]:
    """A signed-in client whose last tick was not silent."""
    client, link = floor.sign_in()
    floor.hub.subscribe(client, ["S1", "S2"], "ltp")
    return client, link


def test_a_change_reaches_its_watchers_at_their_tick() -> None:
    floor = Floor()
    _, link = busy(floor)
    floor.hub.take([quote("S1"), quote("S3")])
    floor.hub.wake()
    assert link.said() == []
    floor.tick()
    assert prices(link.said()) == [("S1", 1)]
    floor.tick()
    assert link.said() == []


def test_many_changes_between_ticks_are_one_with_the_newest_values() -> None:
    floor = Floor()
    _, link = busy(floor)
    for seq in range(1, 50):
        floor.hub.take([quote("S1", seq), quote("S2", seq)])
    floor.tick()
    assert prices(link.said()) == [("S1", 49), ("S2", 49)]


def test_the_first_change_after_silence_goes_at_once() -> None:
    floor = Floor()
    _, link = busy(floor)
    floor.tick()
    floor.hub.take([quote("S1")])
    floor.hub.take([quote("S2")])
    floor.hub.wake()
    assert prices(link.said()) == [("S1", 1), ("S2", 1)]
    floor.hub.take([quote("S1", 2)])
    floor.hub.wake()
    assert link.said() == []


def test_an_older_quote_is_not_taken() -> None:
    floor = Floor()
    _, link = busy(floor)
    floor.hub.take([quote("S1", 5)])
    floor.hub.take([quote("S1", 4), quote("S1", 5)])
    floor.tick()
    assert prices(link.said()) == [("S1", 5)]


def test_a_blocked_client_skips_ticks_and_gets_the_latest() -> None:
    floor = Floor()
    client, link = busy(floor)
    client.block(0.0)
    for seq in range(1, 9):
        floor.hub.take([quote("S1", seq)])
        floor.hub.wake()
        floor.tick()
    assert link.said() == []
    client.unblock()
    floor.tick()
    assert prices(link.said()) == [("S1", 8)]


def test_each_mode_adds_its_fields() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    seen = {}
    for mode in ("ltp", "quote", "full"):
        floor.hub.subscribe(client, ["S1"], mode)  # type: ignore[arg-type]
        floor.hub.take([quote("S1", len(seen) + 1)])
        floor.tick()
        (seen[mode],) = link.said()
    assert seen["ltp"] == {
        "type": "quote", "symbol": "S1", "ltp": "101.50", "change": "1.50",
        "change_percent": "1.50", "seq": 1, "timestamp": 1_700,
    }  # fmt: skip
    assert set(seen["quote"]) - set(seen["ltp"]) == {
        "volume", "open", "high", "low", "close", "average", "last_quantity"
    }  # fmt: skip
    assert seen["full"]["depth"] == {
        "bids": [{"price": "101.00", "quantity": 5, "orders": 2}],
        "asks": [{"price": "102.00", "quantity": 7, "orders": 3}],
    }


@pytest.mark.parametrize("mode", ["ltp", "quote", "full"])
def test_a_newcomers_snapshot_is_the_quote_that_the_others_were_told(mode: str) -> None:
    floor = Floor()
    subscribe = f'{{"action":"subscribe","symbols":["S1"],"mode":"{mode}"}}'
    first, link = floor.sign_in()
    floor.say(first, subscribe)
    link.said()
    floor.hub.take([quote("S1", 2)])
    floor.tick()
    (told,) = link.said()
    for number in (1, 2):  # whoever was there before, and after a change of the same symbol
        newcomer, link = floor.sign_in(user_id=7 + number)
        floor.say(newcomer, subscribe)
        assert link.said()[1:] == [{**told, "type": "snapshot", "seq": number + 1}]
        floor.hub.take([quote("S1", number + 2)])


def test_a_silent_client_hears_a_heartbeat_each_second() -> None:
    floor = Floor()
    _, link = busy(floor)
    for _ in range(3 * HEARTBEAT_TICKS):
        floor.tick()
    assert len(link.said()) == 3


def test_a_symbol_nobody_lists_and_one_too_many_are_refused() -> None:
    floor = Floor()
    client, _ = floor.sign_in()
    asked = [f"S{n}" for n in range(Limits().symbols + 1)]
    accepted, rejected = floor.hub.subscribe(client, [*asked, "NOSUCH", "NSE:M&M"], "ltp")
    assert len(accepted) == Limits().symbols
    assert [code for _, code in rejected] == [
        "TOO_MANY_SYMBOLS", "UNKNOWN_SYMBOL", "TOO_MANY_SYMBOLS"
    ]  # fmt: skip


def test_a_symbol_is_watched_by_the_exchanges_name_whatever_its_case() -> None:
    floor = Floor()
    client, _ = floor.sign_in()
    assert floor.hub.subscribe(client, ["m&m", "nse:M&m"], "ltp") == (["M&M"], [])
    assert floor.hub.unsubscribe(client, ["m&m"]) == ["M&M"]


def test_more_objects_than_a_message_holds_go_in_several() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    symbols = [f"S{n}" for n in range(600)]
    floor.hub.subscribe(client, symbols, "full")
    floor.hub.take([quote(symbol) for symbol in symbols])
    floor.tick()
    assert len(prices(link.said())) == 600


@settings(max_examples=60, stateful_step_count=40)
class HubMachine(RuleBasedStateMachine):
    """Any order of subscribing, moving, ticking, leaving: the last value sent is the last taken."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor()
        self.clients: list[tuple[Client, FakeLink, dict[str, str]]] = []
        self.shown: dict[tuple[int, str], int] = {}
        self.seqs: dict[str, int] = {}

    SYMBOLS = st.lists(st.sampled_from(["S1", "S2", "S3", "M&M"]), min_size=1, max_size=3)
    WHO = st.integers(0, 3)

    @rule()
    def connect(self) -> None:
        if len(self.clients) < 4:
            client, link = self.floor.sign_in()
            self.clients.append((client, link, {}))

    @rule(who=WHO, symbols=SYMBOLS, mode=st.sampled_from(["ltp", "quote", "full"]))
    def subscribe(self, who: int, symbols: list[str], mode: Any) -> None:
        if who < len(self.clients):
            self._hear()  # what was written before is older than the snapshot
            client, _, watched = self.clients[who]
            self.floor.hub.subscribe(client, symbols, mode)
            for symbol in symbols:
                watched[symbol] = mode
                self.shown[id(client), symbol] = self.seqs.get(symbol, 0)  # by the snapshot

    @rule(who=WHO, symbols=SYMBOLS)
    def unsubscribe(self, who: int, symbols: list[str]) -> None:
        if who < len(self.clients):
            client, _, watched = self.clients[who]
            self.floor.hub.unsubscribe(client, symbols)
            for symbol in symbols:
                watched.pop(symbol, None)

    @rule(symbols=SYMBOLS)
    def move(self, symbols: list[str]) -> None:
        for symbol in set(symbols):
            self.seqs[symbol] = self.seqs.get(symbol, 0) + 1
        self.floor.hub.take([quote(symbol, self.seqs[symbol]) for symbol in set(symbols)])
        self.floor.hub.wake()

    @rule()
    def tick(self) -> None:
        self.floor.tick()
        self._hear()
        for client, _, watched in self.clients:
            for symbol in watched:
                assert self.shown[id(client), symbol] == self.seqs.get(symbol, 0)

    def _hear(self) -> None:
        """Reads what was written to everybody: never an older value than one before."""
        for client, link, watched in self.clients:
            for symbol, seq in prices(link.said()):
                if symbol in watched:
                    assert seq >= self.shown[id(client), symbol]
                    self.shown[id(client), symbol] = seq

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        if who < len(self.clients):
            client, _, _ = self.clients.pop(who)
            self.floor.reception.gone(client)

    @invariant()
    def nothing_is_left_of_those_who_left(self) -> None:
        assert len(self.floor.hub) == len(self.clients)
        if not self.clients:
            assert self.floor.reception.leftovers == 0
            assert self.floor.doors.channels == set()


TestHub = HubMachine.TestCase


@pytest.mark.parametrize("ltp", [0])
def test_a_symbol_without_a_price_has_no_quote(ltp: int) -> None:
    floor = Floor()
    client, link = busy(floor)
    floor.hub.take([quote("S1", 1, ltp)])
    floor.tick()
    assert link.said() == []
    assert floor.hub.snapshots(client, ["S1"]) == []
