"""The checker of histories, on small histories made up: what is explained, and what is not."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.history import checker, record
from tests.history.record import Facts, Operation, Recorder
from tests.history.rows import Account, Books, Deposit, Event, Leaving

AT = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
TODAY = AT.date().isoformat()


def books_of(*amounts: int) -> Books:
    """One account that was opened and took these deposits, of the keys d2, d3, ..."""
    books, head, cash = Books(), hashlib.sha256(struct.pack(">q", 1)).digest(), 0
    log = books.events.setdefault(1, [])
    for seq, amount in enumerate((0, *amounts), 1):
        cash += amount
        kind = "DEPOSITED" if seq > 1 else "ACCOUNT_OPENED"
        funds = f'{{"funds":{{"cash":{cash},"unsettled":0,"blocked":0}}}}'
        event = Event(1, seq, AT, kind, None, amount, 0, cash, 0, 0, funds, b"")
        head = checker.event_hash(head, event)
        log.append(event._replace(hash=head))
        books.outbox.append(Leaving(1, seq, None))
        if seq > 1:
            books.deposits.append(Deposit(1, f"d{seq}", amount, seq))
    books.accounts[1] = Account(1, len(log), head, cash, 0, 0, 0, 0, 0)
    return books


def deposit(key: str, amount: int, invoked: int, ended: int | None, seq: int | None) -> Operation:
    asked: Facts = {"key": key, "amount": amount, "today": TODAY}
    answer: Facts = {} if seq is None else {"seq": seq, "replayed": False}
    outcome = "info" if ended is None else "ok"
    return Operation("client", invoked, "deposit", 1, asked, invoked, ended, outcome, answer)


SOUND = [deposit("d2", 500, 10, 20, 2), deposit("d3", 300, 30, None, None)]
"""The second was never answered; the books say that it happened."""


def read_at(seq: int, invoked: int, ended: int) -> Operation:
    return Operation("client", invoked, "funds", 1, {}, invoked, ended, "ok", {"seq": seq})


def test_a_sound_history_with_an_unknown_outcome_is_explained() -> None:
    assert checker.check(SOUND, books_of(500, 300)) == []


def test_an_unknown_outcome_may_as_well_not_have_happened() -> None:
    assert checker.check(SOUND, books_of(500)) == []


def lost(books: Books) -> list[Operation]:
    return [*SOUND, deposit("d9", 700, 40, 50, 4)]


def done_twice(books: Books) -> list[Operation]:
    return [*SOUND, deposit("d2", 500, 40, 50, 2)]


def of_another_amount(books: Books) -> list[Operation]:
    return [replace(SOUND[0], asked=SOUND[0].asked | {"amount": 501}), SOUND[1]]


def asked_for_by_nobody(books: Books) -> list[Operation]:
    return SOUND[:1]


def against_time(books: Books) -> list[Operation]:
    """The one that stands second was over before the other began."""
    return [deposit("d2", 500, 30, 40, 2), deposit("d3", 300, 10, 20, 3)]


def a_read_of_the_past(books: Books) -> list[Operation]:
    return [*SOUND, read_at(1, 25, 28)]


def a_read_of_the_future(books: Books) -> list[Operation]:
    return [*SOUND, read_at(3, 25, 28)]


def answered_with_an_error(books: Books) -> list[Operation]:
    return [*SOUND, Operation("client", 9, "deposit", 1, SOUND[0].asked, 40, 50, "error",
                              {"why": "23505"})]  # fmt: skip


def a_missing_event(books: Books) -> list[Operation]:
    del books.events[1][1]
    return SOUND


def an_edited_event(books: Books) -> list[Operation]:
    books.events[1][1] = books.events[1][1]._replace(at=AT + timedelta(seconds=1))
    return SOUND


def a_changed_snapshot(books: Books) -> list[Operation]:
    books.accounts[1] = books.accounts[1]._replace(cash=801)
    return SOUND


def an_event_that_never_leaves(books: Books) -> list[Operation]:
    del books.outbox[1]
    return SOUND


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lost, "but nothing is booked"),
        (done_twice, "done anew"),
        (of_another_amount, "the model says Entry(kind='DEPOSITED', ref=None, cash_change=501"),
        (asked_for_by_nobody, "DEPOSITED of None was asked for by nobody"),
        (against_time, "but was over before"),
        (a_read_of_the_past, "ahead of it, began"),
        (a_read_of_the_future, "ahead of it, began"),
        (answered_with_an_error, "answered {'why': '23505'}"),
        (a_missing_event, "seq 2 is missing"),
        (an_edited_event, "the hash is not that of the row"),
        (a_changed_snapshot, "the account is (801"),
        (an_event_that_never_leaves, "seq 2 never leaves"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_the_books_do_not_explain_is_named(
    spoil: Callable[[Books], list[Operation]], found: str
) -> None:
    books = books_of(500, 300)
    problems = checker.check(spoil(books), books)
    assert any(found in problem for problem in problems), problems


def test_a_record_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    recorder = Recorder(path, "client")
    first = recorder.invoke("deposit", 1, {"key": "k"})
    recorder.answer(first, "ok", {"seq": 2})
    recorder.invoke("deposit", 1, {"key": "l"})
    recorder.close()
    with path.open("ab") as file:
        file.write(b'{"type":"ok","proc')
    answered, unknown = record.read([path])
    assert (answered.outcome, answered.answer) == ("ok", {"seq": 2})
    assert (unknown.outcome, unknown.ended) == ("info", None)
    assert answered.ended is not None
    assert answered.invoked < answered.ended < unknown.invoked
