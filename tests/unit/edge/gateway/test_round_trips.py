"""Answers are timed, and what waits too long for one hangs its session."""

import pytest

from edge.gateway.round_trips import HUNG_SECONDS
from functions.shared.wire.commands import CancelOrder, NewOrder
from tests.unit.edge.gateway.test_reports_out import NAMES, Setting, order
from tests.unit.edge.gateway.test_translate import REPORT


def timed(setting: Setting, kind: str) -> tuple[float, float]:
    """How many round trips of a kind were timed, and how long they took together."""
    metric = setting.metrics.round_trip.labels(NAMES[0], kind)
    samples = {s.name: s.value for s in metric._child_samples()}
    return samples["_count"], samples["_sum"]


def test_a_command_is_timed_to_its_first_answer_and_one_sent_again_is_not() -> None:
    setting = Setting()
    command = order()
    setting.outbound.send_command(command)
    setting.now = 0.25
    answer = REPORT | {11: str(command.order_id)}
    setting.hear(answer)
    setting.hear(answer | {34: "18"})
    setting.outbound.send_command(command)
    setting.hear(answer | {34: "19"})
    assert timed(setting, "order") == (1, 0.25)


def test_a_test_request_is_timed_to_the_heartbeat_that_names_it() -> None:
    setting = Setting()
    setting.trips.test(0)
    (asked,) = setting.engine.sent
    setting.trips.test(0)  # not due yet
    assert len(setting.engine.sent) == 1
    setting.now = 0.5
    setting.hear({35: "0", 34: "1"}, administrative=True)
    setting.hear({35: "0", 34: "2", 112: "another"}, administrative=True)
    setting.hear({35: "0", 34: "3", 112: asked[112]}, administrative=True)
    assert timed(setting, "heartbeat") == (1, 0.5)


def test_a_session_is_hung_while_a_command_on_it_waits_too_long_for_any_answer() -> None:
    setting = Setting()
    command = order()
    setting.outbound.send_command(command)
    assert setting.trips.hung() == set()
    setting.now = HUNG_SECONDS
    assert setting.trips.hung() == {0}
    setting.hear(REPORT | {11: str(command.order_id), 150: "I", 39: "8", 103: "5"})
    assert setting.trips.hung() == set()


def test_a_command_that_may_have_been_sent_before_is_waited_for_too() -> None:
    setting = Setting()
    command = order()
    setting.outbound.send_command(command, possibly_sent=True)
    setting.now = HUNG_SECONDS
    assert setting.trips.hung() == {0}
    setting.hear(REPORT | {11: str(command.order_id)})
    assert setting.trips.hung() == set()
    assert timed(setting, "order") == (0, 0.0)


def cancel(request: int) -> CancelOrder:
    return CancelOrder(
        order_id=order().order_id, user_id=7, symbol="INFY", side="BUY", quantity=10,
        request=request, original=request - 1,
    )  # fmt: skip


@pytest.mark.parametrize("told", [order(), cancel(1), cancel(2)])
def test_a_repeat_is_answered_by_its_orders_status_whatever_clordid_that_bears(
    told: NewOrder | CancelOrder,
) -> None:
    setting = Setting()
    setting.outbound.send_command(told, possibly_sent=True)
    setting.now = HUNG_SECONDS
    setting.hear(REPORT | {11: str(order(3).order_id), 150: "I"})
    assert setting.trips.hung() == {0}
    setting.hear(REPORT | {11: f"{told.order_id}-1", 34: "18", 150: "I"})
    assert setting.trips.hung() == set()


def test_a_word_of_a_repeated_order_says_nothing_of_what_was_sent_before_it() -> None:
    setting = Setting()
    unanswered, repeated = order(3), order()
    setting.outbound.send_command(unanswered)
    setting.outbound.send_command(repeated, possibly_sent=True)
    setting.now = HUNG_SECONDS
    setting.hear(REPORT | {11: str(repeated.order_id)})
    assert setting.trips.hung() == {0}
    setting.hear(REPORT | {11: str(unanswered.order_id), 34: "18"})
    assert setting.trips.hung() == set()


@pytest.mark.parametrize("again", [False, True])
def test_what_is_sent_again_is_refused_whole_by_its_own_number(again: bool) -> None:
    setting = Setting()
    command = order()
    setting.outbound.send_command(command, possibly_sent=again)
    mark = "97=Y\x01" if again else ""
    setting.trips.sent(0, f"35=D\x0134=7\x01{mark}11={command.order_id}\x0110=000\x01")
    setting.now = HUNG_SECONDS
    setting.hear({35: "3", 34: "1", 45: "7", 58: "tag missing"}, administrative=True)
    assert setting.trips.hung() == set()


def test_a_command_that_the_venue_passed_over_hangs_nobody_once_a_later_one_is_answered() -> None:
    setting = Setting()
    passed_over, later = order(), order(3)
    setting.outbound.send_command(passed_over)
    setting.outbound.send_command(later)
    setting.now = HUNG_SECONDS
    assert setting.trips.hung() == {0}
    setting.hear(REPORT | {11: str(later.order_id)})
    assert setting.trips.hung() == set()


@pytest.mark.parametrize("kind", ["3", "j"])
def test_a_command_refused_whole_is_waited_for_no_more(kind: str) -> None:
    setting = Setting()
    command = order()
    setting.outbound.send_command(command)
    leaving = f"8=FIX.4.4\x019=99\x0135=D\x0134=7\x0149=US\x0111={command.order_id}\x0110=000\x01"
    setting.trips.sent(0, leaving)
    setting.now = HUNG_SECONDS
    setting.hear({35: kind, 34: "1", 45: "6", 58: "another"}, administrative=kind == "3")
    assert setting.trips.hung() == {0}
    setting.hear({35: kind, 34: "2", 45: "7", 58: "tag missing"}, administrative=kind == "3")
    assert setting.trips.hung() == set()


def test_what_could_not_be_sent_is_waited_for_by_nobody() -> None:
    setting = Setting()
    setting.engine.on = False
    setting.outbound.send_command(order())
    setting.now = HUNG_SECONDS
    assert setting.trips.hung() == set()
