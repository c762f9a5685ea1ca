"""A full inbox refuses messages but never the word that a session is down."""

from edge.gateway.inbox import Inbox, Received, SessionDown


def message(position: int) -> Received:
    return Received(0, position, False, "")


def test_it_is_taken_in_order_and_in_batches() -> None:
    inbox = Inbox()
    for position in range(5):
        assert inbox.put(message(position))
    assert inbox.take(3, 0) == [message(0), message(1), message(2)]
    assert inbox.take(3, 0) == [message(3), message(4)]
    assert inbox.take(3, 0) == []


def test_a_full_one_refuses_a_message_and_takes_the_word_that_a_session_is_down() -> None:
    inbox = Inbox(most=1)
    assert inbox.put(message(1))
    assert not inbox.put(message(2))
    inbox.put_down(SessionDown(0))
    assert inbox.take(9, 0) == [message(1), SessionDown(0)]


def test_after_a_refusal_nothing_of_that_session_overtakes_until_it_was_down() -> None:
    inbox = Inbox(most=1)
    inbox.put(message(1))
    assert not inbox.put(message(2))
    inbox.take(1, 0)
    assert not inbox.put(message(3))
    assert inbox.put(Received(1, 1, False, ""))
    inbox.take(1, 0)
    inbox.put_down(SessionDown(0))
    inbox.take(1, 0)
    assert inbox.put(message(2))
