"""Private events: each once, in order, whatever is lost on the way."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.client import TOO_SLOW
from edge.fanout.limits import Limits
from functions.shared.wire.notices import WatchlistMoved, encode_notice
from tests.support.fanout import FakeLink, Floor, event, payload, principal

EVENTS_MAX = Limits().resume_events


def seqs(link: FakeLink) -> list[int]:
    return [o["user_seq"] for o in link.said() if "user_seq" in o]


def test_a_live_event_that_is_the_next_one_goes_at_once() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.live(7, payload(11))
    assert link.said() == [
        {
            "type": "funds", "user_seq": 11, "cash": "1.00", "held": "0.00", "available": "1.00",
            "borrowed": "0.00", "unsettled": "0.00", "blocked": "0.00", "withdrawable": "1.00",
            "currency": "INR", "seq": 11,
        }
    ]  # fmt: skip
    floor.private.live(7, payload(11))
    floor.private.live(8, payload(12, user_id=8))
    assert link.said() == []


def test_a_gap_is_filled_from_the_ledger() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.live(7, payload(13))
    assert link.said() == []
    assert floor.doors.questions[0][2] == 10
    floor.answer([event(11), event(12), event(13)], 13)
    assert seqs(link) == [11, 12, 13]


def test_events_that_come_while_the_ledger_is_asked_are_not_lost() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.live(7, payload(12))
    floor.private.live(7, payload(13))
    floor.answer([event(11), event(12)], 12)
    assert seqs(link) == [11, 12]
    floor.answer([event(13)], 13)
    assert seqs(link) == [13]
    assert floor.doors.questions == []


def test_a_resume_sends_what_came_after_and_then_live_events() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, '{"action":"resume","seq":8}')
    floor.answer([event(9), event(10)], 10)
    floor.private.live(7, payload(11))
    assert seqs(link) == [9, 10, 11]


def test_a_resume_overtakes_the_question_asked_at_sign_in() -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.reception.verified(client, principal())
    floor.say(client, '{"action":"resume","seq":8}')
    floor.answer(None, 10)
    floor.answer([event(9), event(10)], 10)
    assert seqs(link) == [9, 10]


def test_what_was_told_before_the_channel_was_heard_is_fetched() -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.reception.verified(client, principal())
    floor.private.listening(7)  # the question of the sign-in is under way: it may be too early
    floor.answer(None, 10)
    assert [question[2] for question in floor.doors.questions] == [10]
    floor.answer([event(11)], 11)
    assert seqs(link) == [11]
    floor.private.listening(7)  # and so it is after it was answered
    floor.answer([event(12)], 12)
    assert seqs(link) == [12]


def test_a_client_that_asks_without_end_has_one_read_under_way() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    for seq in (8, 7, 6, 9):
        floor.say(client, f'{{"action":"resume","seq":{seq}}}')
    assert len(floor.doors.questions) == 1
    floor.answer([event(9), event(10)], 10)
    assert floor.doors.questions[0][2] == 9
    floor.answer([event(10)], 10)
    assert seqs(link) == [10]


def test_a_resume_too_far_back_or_ahead_of_the_ledger_gives_a_snapshot() -> None:
    for seq, events, latest in (
        (0, [event(n) for n in range(1, EVENTS_MAX + 2)], EVENTS_MAX + 1),
        (99, [], 10),
    ):
        floor = Floor()
        client, link = floor.sign_in()
        floor.say(client, f'{{"action":"resume","seq":{seq}}}')
        floor.answer(events, latest)
        floor.answer(None, 2_000)
        assert link.said() == [{"type": "snapshot", "code": "RELOAD", "user_seq": 2_000}]
        floor.private.live(7, payload(2_001))
        assert seqs(link) == [2_001]


def test_after_the_channels_were_lost_every_client_catches_up() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.restored([7])
    floor.answer([event(11)], 11)
    assert seqs(link) == [11]


def test_an_unreadable_message_makes_the_ledger_be_asked() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.live(7, b"{")
    floor.answer([event(11)], 11)
    assert seqs(link) == [11]


def test_a_ledger_that_does_not_answer_is_asked_again_at_the_sweep() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.live(7, payload(12))
    client, ticket, _ = floor.doors.questions.pop()
    floor.private.not_fetched(client, ticket)
    floor.sweep(1.0)
    floor.answer([event(11), event(12)], 12)
    assert seqs(link) == [11, 12]


def test_an_announced_event_the_ledger_does_not_have_is_not_asked_for_in_a_loop() -> None:
    floor = Floor()
    floor.sign_in()
    floor.private.live(7, payload(99))
    floor.answer([], 10)
    assert floor.doors.questions == []
    floor.sweep(1.0)
    assert len(floor.doors.questions) == 1


def test_events_wait_for_a_slow_client_up_to_a_bound() -> None:
    floor = Floor(Limits(pending=50))
    client, link = floor.sign_in()
    client.block(0.0)
    for seq in range(11, 11 + 50):
        floor.private.live(7, payload(seq))
    assert (link.data, link.closed) == (b"", None)
    floor.private.live(7, payload(11 + 50))
    assert link.closed == (TOO_SLOW, "too slow")
    assert floor.reception.leftovers == 0


def test_what_waited_is_written_in_order_when_there_is_room() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    client.block(0.0)
    for seq in (11, 12, 13):
        floor.private.live(7, payload(seq))
    client.unblock()
    assert seqs(link) == [11, 12, 13]
    assert client.pending is None


@given(st.data())
def test_any_loss_on_the_channel_still_gives_every_event_once_in_order(data: st.DataObject) -> None:
    floor = Floor()
    _, link = floor.sign_in()
    ledger, got = 10, []
    for _ in range(data.draw(st.integers(1, 30))):
        step: Any = data.draw(st.sampled_from(["commit", "lose", "answer", "restore"]))
        if step in {"commit", "lose"}:
            ledger += 1
            if step == "commit":
                floor.private.live(7, payload(ledger))
        elif step == "restore":
            floor.private.restored([7])
        elif floor.doors.questions:
            after = floor.doors.questions[0][2] or 0
            floor.answer([event(n) for n in range(after + 1, ledger + 1)], ledger)
        got += seqs(link)
    floor.private.restored([7])
    while floor.doors.questions:
        after = floor.doors.questions[0][2] or 0
        floor.answer([event(n) for n in range(after + 1, ledger + 1)], ledger)
    assert got + seqs(link) == list(range(11, ledger + 1))


def test_a_notice_goes_to_every_device_at_once_and_counts_for_no_event() -> None:
    floor = Floor()
    _, phone = floor.sign_in()
    _, desk = floor.sign_in()
    notice = encode_notice(WatchlistMoved(watchlist_id="w", version=2))
    floor.private.live(7, notice)
    told = [{"type": "watchlist", "watchlist_id": "w", "version": 2}]
    assert (phone.said(), desk.said()) == (told, told)
    floor.private.live(7, payload(11))
    assert seqs(desk) == [11]


def test_after_a_lost_channel_all_that_notices_tell_of_is_to_be_read_again() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.private.restored([7])
    anything = {"type": "watchlist", "watchlist_id": None, "version": None}
    assert link.said() == [anything]
    floor.private.live(7, b"!nonsense")
    assert link.said() == [anything]
    assert floor.private.unreadable == 1
