import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcry_client import protocol
from outcry_client.limits import DEFAULTS
from outcry_client.protocol import AfterClose, UserSequence, after_close
from outcry_client.stream import AccountEvent


def _events(*seqs: int) -> list[AccountEvent]:
    return [AccountEvent(seq, "order", {}) for seq in seqs]


def _seqs(events: list[AccountEvent]) -> list[int]:
    return [event.user_seq for event in events]


def test_objects_of_one_event_stay_together() -> None:
    fill = AccountEvent(8, "fill", {"exec_id": "E"})
    assert UserSequence(7).accept([*_events(8), fill]) == [*_events(8), fill]


def test_events_already_applied_are_dropped() -> None:
    assert UserSequence(7).accept(_events(6, 7)) == []


def test_events_past_a_gap_wait_for_what_is_missing() -> None:
    sequence = UserSequence(7)

    assert sequence.accept(_events(9, 10)) == []
    assert sequence.has_gap
    assert _seqs(sequence.accept(_events(8))) == [8, 9, 10]
    assert not sequence.has_gap
    assert sequence.last == 10


@given(
    st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), max_size=20),
    st.permutations(range(1, 13)),
)
def test_any_arrival_order_is_delivered_once_and_in_order(
    noise: list[list[int]], late: list[int]
) -> None:
    sequence = UserSequence[AccountEvent](0)
    delivered: list[int] = []
    for seqs in [*noise, *([seq] for seq in late)]:
        delivered += _seqs(sequence.accept(_events(*dict.fromkeys(seqs))))

    assert delivered == list(range(1, 13))


def test_a_gap_that_holds_too_much_asks_for_a_load() -> None:
    sequence = UserSequence[AccountEvent](0)
    sequence.accept(_events(*range(2, DEFAULTS.held_events + 3)))

    assert sequence.overflowed
    sequence.reset(5)
    assert not sequence.overflowed
    assert _seqs(sequence.accept(_events(6))) == [6]


def test_actions_read_as_the_contract_writes_them() -> None:
    assert json.loads(protocol.subscribe({"TCS", "M&M"})) == {
        "action": "subscribe",
        "symbols": ["M&M", "TCS"],
        "mode": "quote",
    }
    assert json.loads(protocol.resume(7)) == {"action": "resume", "seq": 7}
    assert json.loads(protocol.authenticate("t")) == {"action": "auth", "token": "t"}


@pytest.mark.parametrize(
    ("code", "then"),
    [
        (1012, AfterClose.RECONNECT),
        (1006, AfterClose.RECONNECT),
        (4002, AfterClose.RECONNECT),
        (1008, AfterClose.BACK_OFF),
        (4008, AfterClose.BACK_OFF),
        (4001, AfterClose.SIGNED_OUT),
        (4004, AfterClose.REFRESH),
        (4003, AfterClose.REPLACED),
    ],
)
def test_each_close_code_has_its_answer(code: int, then: AfterClose) -> None:
    assert after_close(code) is then
