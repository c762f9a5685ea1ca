"""Differential updates: small changes wait, large ones don't, and nothing waits for ever."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.client import Client
from edge.fanout.differential import HELD_SECONDS
from edge.fanout.encodings import JSON
from edge.fanout.views import Feed
from tests.support.fanout import FakeLink, Floor, quote

RUPEE = 10_000


def told(link: FakeLink) -> list[tuple[str, int]]:
    return [(o["ltp"], o["seq"]) for o in link.said() if o["type"] == "quote"]


def thrifty(floor: Floor, min_move: int = RUPEE, mode: Any = "ltp") -> tuple[Client, FakeLink]:
    """A client that need not hear of changes of S1 below `min_move`, at 100.00."""
    if "S1" not in floor.hub.last.quotes:
        floor.hub.take([quote("S1", 1, 100 * RUPEE)])
    client, link = floor.sign_in()
    floor.say(client, f'{{"action":"subscribe","symbols":["S1"],"mode":"{mode}",'
              f'"min_move":"{min_move / RUPEE:.4f}"}}')  # fmt: skip
    subscribed, snapshot = link.said()
    assert (subscribed["type"], snapshot["type"]) == ("subscribed", "snapshot")
    return client, link


def move(floor: Floor, seq: int, ltp: int, now: float) -> None:
    floor.hub.take([quote("S1", seq, ltp)])
    floor.hub.release(now)
    floor.hub.wake()
    floor.tick()


def test_a_move_of_the_least_size_passes_at_once_and_a_smaller_one_waits() -> None:
    floor = Floor()
    _, link = thrifty(floor)
    move(floor, 2, 101 * RUPEE, 0.0)
    assert told(link) == [("101.00", 2)]
    move(floor, 3, 101 * RUPEE + 9_900, 0.1)
    assert told(link) == []
    move(floor, 4, 100 * RUPEE, 0.2)
    assert told(link) == [("100.00", 4)]


def test_small_moves_add_up_against_the_price_last_shown() -> None:
    floor = Floor()
    _, link = thrifty(floor)
    for step in range(1, 10):
        move(floor, 1 + step, 100 * RUPEE + step * 1_000, 0.0)
        assert told(link) == []
    move(floor, 11, 101 * RUPEE, 0.0)
    assert told(link) == [("101.00", 11)]


def test_what_is_held_goes_out_within_a_second_with_the_newest_values() -> None:
    floor = Floor()
    _, link = thrifty(floor)
    move(floor, 2, 100 * RUPEE + 100, 0.0)
    move(floor, 3, 100 * RUPEE + 200, HELD_SECONDS - 0.01)
    assert told(link) == []
    floor.hub.release(HELD_SECONDS)
    floor.tick()
    assert told(link) == [("100.02", 3)]
    move(floor, 4, 100 * RUPEE + 300, HELD_SECONDS)
    assert told(link) == []  # held anew, from now on
    floor.hub.release(2 * HELD_SECONDS)
    floor.tick()
    assert told(link) == [("100.03", 4)]


def test_what_passed_meanwhile_is_not_told_twice() -> None:
    floor = Floor()
    _, link = thrifty(floor)
    move(floor, 2, 100 * RUPEE + 100, 0.0)
    move(floor, 3, 102 * RUPEE, 0.1)
    assert told(link) == [("102.00", 3)]
    move(floor, 4, 102 * RUPEE + 100, 0.7)  # its own wait begins here, not with the first one's
    floor.hub.release(HELD_SECONDS)
    floor.tick()
    assert told(link) == []


def test_an_idle_client_is_woken_by_what_is_released() -> None:
    floor = Floor()
    _, link = thrifty(floor)
    floor.tick()
    floor.hub.take([quote("S1", 2, 100 * RUPEE + 100)])
    floor.hub.release(0.0)
    floor.hub.wake()
    assert told(link) == []
    floor.hub.release(HELD_SECONDS)
    floor.hub.wake()
    assert told(link) == [("100.01", 2)]


def test_others_hear_every_change_beside_one_who_need_not() -> None:
    floor = Floor()
    _, slow = thrifty(floor)
    other, link = floor.sign_in()
    floor.hub.subscribe(other, ["S1"], "ltp")
    move(floor, 2, 100 * RUPEE + 100, 0.0)
    assert (told(slow), told(link)) == ([], [("100.01", 2)])


def test_a_newcomers_snapshot_is_what_the_next_move_is_measured_from() -> None:
    floor = Floor()
    _, first = thrifty(floor)
    move(floor, 2, 100 * RUPEE + 6_000, 0.0)
    _, second = thrifty(floor)
    floor.tick()
    assert told(first) == [("100.60", 2)]
    second.said()
    move(floor, 3, 101 * RUPEE + 1_000, 0.0)
    assert told(second) == []
    move(floor, 4, 101 * RUPEE + 6_000, 0.0)
    assert told(second) == [("101.60", 4)]


def test_subscribing_again_without_it_ends_the_holding_back() -> None:
    floor = Floor()
    client, link = thrifty(floor)
    floor.say(client, '{"action":"subscribe","symbols":["S1"]}')
    link.said()
    move(floor, 2, 100 * RUPEE + 100, 0.0)
    assert told(link) == [("100.01", 2)]
    floor.reception.gone(client)
    assert floor.reception.leftovers == 0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ('"min_move":"0.05","mode":"full"', "full"),
        ('"min_move":"0"', "above zero"),
        ('"min_move":"-1"', "above zero"),
        ('"min_move":"0.5%"', "decimal"),
        ('"min_move":1e-2', "decimal"),
        ('"min_move":"0.00001"', "decimals"),
        ('"min_move":true', "decimal"),
        ('"min_move":["1"]', "decimal"),
    ],
)
def test_what_is_no_least_move_is_refused(fields: str, why: str) -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, f'{{"action":"subscribe","symbols":["S1"],{fields}}}')
    (error,) = link.said()
    assert (error["code"], why in error["message"]) == ("INVALID_MESSAGE", True)
    assert client.views == ()


def test_a_number_and_a_text_are_the_same_least_move() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    for written in ("0.05", '"0.05"', '"0.0500"'):
        floor.say(client, f'{{"action":"subscribe","symbols":["S1"],"min_move":{written}}}')
        (subscribed,) = link.said()
        assert subscribed["min_move"] == "0.05"
    assert [view.feed for view in client.views] == [Feed("ltp", JSON, 500)]


def test_one_more_least_move_than_a_symbol_may_have_is_served_without_holding_back() -> None:
    floor = Floor()
    most = 32
    clients = [thrifty(floor, RUPEE + n) for n in range(most + 1)]
    move(floor, 2, 100 * RUPEE + 100, 0.0)
    assert [told(link) for _, link in clients] == [[]] * most + [[("100.01", 2)]]
    for client, _ in clients:
        floor.reception.gone(client)
    assert floor.reception.leftovers == 0


@given(
    steps=st.lists(
        st.tuples(st.integers(-300, 300), st.floats(0.01, 0.4)), min_size=1, max_size=60
    ),
    min_move=st.integers(50, 400),
)
def test_no_change_is_told_later_than_a_second_and_none_of_size_waits(
    steps: list[tuple[int, float]], min_move: int
) -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.hub.take([quote("S1", 1, 100 * RUPEE)])
    floor.hub.subscribe(client, ["S1"], "ltp", min_move)
    shown, seq, ltp, now, behind = 100 * RUPEE, 1, 100 * RUPEE, 0.0, None
    for by, later in steps:
        end = now + later
        while now < end:  # the server's ticks, a group each 10 ms and so each client each 100 ms
            now += 0.1
            floor.hub.release(now)
            floor.tick()
            for price, number in told(link):
                assert number == seq
                shown, behind = round(float(price) * RUPEE), None
            assert behind is None or now - behind < 1.0
        seq, ltp = seq + 1, ltp + by
        floor.hub.take([quote("S1", seq, ltp)])
        behind = now if behind is None else behind
        if abs(ltp - shown) >= min_move:
            floor.tick()
            assert [number for _, number in told(link)] == [seq]
            shown, behind = ltp, None
