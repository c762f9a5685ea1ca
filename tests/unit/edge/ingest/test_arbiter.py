"""Two lines of one publication: each message once and in order, whatever either of them loses."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ingest.arbiter import Arbiter, HoldLimits, Line
from edge.ingest.session import Kind, Message
from functions.shared.domain.errors import PeerProtocolError

SYMBOLS = 2


def update(number: int, publication: bytes = b"P") -> Message:
    return Message(Kind.INCREMENTAL, b"", number, publication, number)


def snapshot(number: int, publication: bytes = b"P") -> Message:
    return Message(Kind.SNAPSHOT, b"", number, publication, number)


class Pair:
    """Lines A and B, both on the feed, with what has left."""

    def __init__(self, limits: HoldLimits = HoldLimits(0.25, 3)) -> None:  # noqa: B008
        self.a, self.b = Line("A"), Line("B")
        self.arbiter = Arbiter([self.a, self.b], SYMBOLS, limits)

    def give(self, line: Line, *messages: Message) -> list[int]:
        return [m.number for each in messages for m in self.arbiter.take(line, each)]

    def answer(self, line: Line, number: int, publication: bytes = b"P") -> list[int]:
        return self.give(line, *[snapshot(number, publication)] * SYMBOLS)


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    assert pair.answer(pair.a, 4) == [4, 4]
    assert pair.answer(pair.b, 4) == []
    assert pair.arbiter.in_step
    return pair


def test_the_first_copy_leaves_and_the_second_is_dropped(pair: Pair) -> None:
    assert pair.give(pair.a, update(5), update(6)) == [5, 6]
    assert (pair.arbiter.behind(pair.b), pair.arbiter.is_current(pair.b)) == (2, False)
    assert pair.give(pair.b, update(5), update(6), update(7)) == [7]
    assert pair.give(pair.a, update(7)) == []
    assert (pair.a.taken, pair.a.dropped, pair.b.taken, pair.b.dropped) == (4, 1, 1, 4)
    assert pair.arbiter.is_current(pair.a)


def test_a_hole_in_one_line_is_filled_by_the_other(pair: Pair) -> None:
    assert pair.give(pair.a, update(6), update(8)) == []
    assert not pair.arbiter.is_current(pair.a)
    assert pair.give(pair.b, update(5)) == [5, 6]
    assert pair.give(pair.b, update(6), update(7)) == [7, 8]
    assert pair.arbiter.losses == 0


def test_a_hole_that_nobody_fills_is_left_by_a_snapshot_and_no_other_way(pair: Pair) -> None:
    assert pair.give(pair.a, update(6)) == []
    assert pair.arbiter.look(1.0) is None
    assert pair.arbiter.look(1.2) is None
    assert pair.arbiter.look(1.3) is pair.a
    assert [pair.arbiter.look(1.4), pair.arbiter.look(9.0)] == [pair.b, None]  # each asked once
    assert pair.give(pair.b, update(5)) == []
    assert not pair.arbiter.in_step
    assert pair.answer(pair.a, 9) == [9, 9]
    assert pair.answer(pair.b, 9) == []
    assert pair.give(pair.b, update(10)) == [10]


def test_a_lines_own_new_snapshot_passes_the_hole_at_once(pair: Pair) -> None:
    assert pair.give(pair.a, update(6)) == []
    assert pair.answer(pair.a, 6) == [6, 6]
    assert pair.give(pair.b, update(5), update(6), update(7)) == [7]


def test_more_than_may_be_held_is_given_up(pair: Pair) -> None:
    assert pair.give(pair.a, *map(update, range(6, 10))) == []
    assert (pair.arbiter.losses, pair.arbiter.look(0.0)) == (1, pair.a)


def test_the_other_line_waits_while_an_answer_is_taken(pair: Pair) -> None:
    assert pair.give(pair.a, snapshot(7)) == [7]
    assert pair.give(pair.b, update(5), update(8)) == []
    assert not pair.arbiter.in_step
    assert pair.give(pair.a, snapshot(7)) == [7, 8]
    with pytest.raises(PeerProtocolError):
        pair.give(pair.a, snapshot(20), update(21))


def test_a_line_lost_amid_its_answer_leaves_nothing_half_known(pair: Pair) -> None:
    assert pair.give(pair.a, snapshot(7)) == [7]
    pair.arbiter.down(pair.a)
    assert pair.give(pair.b, update(5), update(8)) == []
    assert pair.arbiter.look(0.0) is pair.b
    assert pair.answer(pair.b, 8) == [8, 8]


def test_after_such_a_loss_an_older_snapshot_of_the_other_line_waits_for_a_newer(
    pair: Pair,
) -> None:
    pair.arbiter.down(pair.b)
    assert pair.give(pair.a, snapshot(7)) == [7]
    pair.arbiter.down(pair.a)
    assert pair.answer(pair.b, 6) == []
    assert pair.arbiter.look(0.0) is pair.b
    assert pair.answer(pair.b, 7) == [7, 7]


def test_a_snapshot_that_is_behind_goes_nowhere_and_its_line_catches_up(pair: Pair) -> None:
    assert pair.give(pair.a, *map(update, range(5, 9))) == [5, 6, 7, 8]
    for line in (pair.a, pair.b):
        pair.arbiter.down(line)
    assert not pair.arbiter.in_step
    assert pair.answer(pair.b, 6) == []
    assert pair.give(pair.b, *map(update, range(7, 10))) == [9]


def test_a_venue_that_begins_anew_is_believed_by_either_line(pair: Pair) -> None:
    pair.arbiter.down(pair.a)  # B's connection is half open: its end was not noticed
    assert pair.answer(pair.a, 0, b"Q") == [0, 0]
    assert pair.give(pair.b, update(5)) == []
    assert pair.give(pair.a, update(1, b"Q")) == [1]
    assert pair.arbiter.behind(pair.b) == 0


def test_market_data_without_a_number_ends_the_session(pair: Pair) -> None:
    with pytest.raises(PeerProtocolError):
        pair.give(pair.a, update(5, b""))


class Venue:
    """One publication on two lines, each with a queue of its own, cut and garbled at will."""

    def __init__(self) -> None:
        self.pair = Pair(HoldLimits(2.0, 5))
        self.number = self.now = 0
        self.queues: dict[str, deque[Message]] = {"A": deque(), "B": deque()}
        self.up = {"A": False, "B": False}
        self.book: int | None = None

    def lines(self) -> dict[str, Line]:
        return {"A": self.pair.a, "B": self.pair.b}

    def publish(self) -> None:
        self.number += 1
        for name, queue in self.queues.items():
            if self.up[name]:
                queue.append(update(self.number))

    def ask(self, name: str) -> None:
        self.up[name] = True
        self.queues[name].extend([snapshot(self.number)] * SYMBOLS)

    def cut(self, name: str) -> None:
        self.up[name] = False
        self.queues[name].clear()
        self.pair.arbiter.down(self.lines()[name])

    def deliver(self, name: str) -> None:
        if self.queues[name]:
            message = self.queues[name].popleft()
            for each in self.pair.arbiter.take(self.lines()[name], message):
                if each.is_snapshot:
                    assert self.book is None or each.number >= self.book
                else:
                    assert self.book is not None
                    assert each.number == self.book + 1
                self.book = each.number

    def lose(self, name: str) -> None:
        """A message comes garbled: the session notices the gap with the next, and asks anew."""
        queue = self.queues[name]
        if queue and not queue[0].is_snapshot:
            queue.popleft()
            self.ask(name)

    def look(self) -> None:
        self.now += 1
        asking = self.pair.arbiter.look(float(self.now))
        if asking is not None:
            self.ask(asking.name)


STEPS = st.lists(
    st.tuples(st.sampled_from(["publish", "deliver", "deliver", "ask", "cut", "lose", "look"]),
              st.sampled_from("AB")),
    max_size=120,
)  # fmt: skip


@settings(max_examples=300)
@given(STEPS)
def test_whatever_is_lost_prices_leave_in_order_and_in_the_end_all_are_there(
    steps: list[tuple[str, str]],
) -> None:
    venue = Venue()
    for step, name in steps:
        if step in {"publish", "look"}:
            getattr(venue, step)()
        elif step != "ask" or not venue.up[name]:
            getattr(venue, step)(name)
    for name in "AB":
        if not venue.up[name]:
            venue.ask(name)
    venue.publish()
    for _ in range(12):
        for name in "AB":
            while venue.queues[name]:
                venue.deliver(name)
        venue.look()
    assert venue.book == venue.number
    assert venue.pair.arbiter.in_step
