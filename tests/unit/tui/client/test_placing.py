import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.terminal import RecordingBroker, order, plan
from tests.support.terminal_prices import NOON
from tui.client import placing
from tui.client.broker import RefusedError, UnreachableError
from tui.client.journal import LINES_MAX, Journal
from tui.client.models import Order, Problem
from tui.client.placing import OutcomeUnknownError, open_plan, place_order, settle_from

BODY: dict[str, str | int | None] = {"client_order_id": "c-1", "symbol": "TCS", "quantity": 1}


class Flaky(RecordingBroker):
    """Loses the first answers, or refuses."""

    def __init__(self, journal: Journal, silences: int = 0, refuses: bool = False) -> None:
        super().__init__()
        self._journal = journal
        self._silences = silences
        self._refuses = refuses

    async def place(self, body: Mapping[str, object]) -> Order:
        known = [intent.client_order_id for intent in self._journal.unsettled()]
        assert known == [body["client_order_id"]], "the intent must be on disk before it is sent"
        answer = await super().place(body)
        if len(self.placed) <= self._silences:
            raise UnreachableError("timed out")
        if self._refuses:
            raise RefusedError(Problem(status=422, code="INSUFFICIENT_FUNDS"))
        return answer


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "terminal")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "RETRY_BASE_S", 0.0)


async def _place(broker: Flaky, journal: Journal) -> Order:
    return await place_order(broker, journal, BODY, lambda: NOON, random.Random(1))


async def test_a_lost_answer_is_asked_for_again_with_the_same_id(journal: Journal) -> None:
    broker = Flaky(journal, silences=2)

    await _place(broker, journal)

    assert [body["client_order_id"] for body in broker.placed] == ["c-1", "c-1", "c-1"]
    assert journal.unsettled() == []


async def test_a_refusal_is_not_repeated(journal: Journal) -> None:
    broker = Flaky(journal, refuses=True)

    with pytest.raises(RefusedError):
        await _place(broker, journal)

    assert len(broker.placed) == 1
    assert journal.unsettled() == []


async def test_silence_to_the_end_leaves_the_intent_open(journal: Journal) -> None:
    with pytest.raises(OutcomeUnknownError):
        await _place(Flaky(journal, silences=99), journal)

    assert [intent.body["symbol"] for intent in journal.unsettled()] == ["TCS"]


def test_open_intents_are_settled_by_the_brokers_list(journal: Journal) -> None:
    journal.intend("c-1", BODY, NOON)
    journal.intend("c-2", {**BODY, "client_order_id": "c-2"}, NOON)

    assert settle_from(journal, [order(client_order_id="c-1")], [], NOON) == ["c-2"]
    assert journal.unsettled() == []


async def test_a_plan_is_on_disk_before_it_is_sent_and_settled_by_its_answer(
    journal: Journal,
) -> None:
    broker, body = RecordingBroker(), {"client_id": "p-1", "kind": "ICEBERG", "legs": 2}
    broker.known_plans = [plan("31")]

    answer = await open_plan(broker, journal, body, lambda: NOON, random.Random(1))

    assert (answer.plan_id, broker.opened) == ("31", [body])
    assert journal.unsettled() == []
    journal.intend("p-2", {"exits": {"stop": {"trigger_price": "1"}}}, NOON)
    assert settle_from(journal, [], [plan("32", client_id="p-2")], NOON) == []


def test_a_torn_last_line_was_never_sent(journal: Journal, tmp_path: Path) -> None:
    journal.intend("c-1", BODY, NOON)
    with (tmp_path / "terminal" / "orders.jsonl").open("ab") as file:
        file.write(b'{"client_order_id":"c-2","at":"2026')

    assert [intent.client_order_id for intent in journal.unsettled()] == ["c-1"]


def test_a_long_journal_keeps_only_what_is_open(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "terminal" / "orders.jsonl"
    journal.intend("c-1", BODY, NOON)
    done = b'{"client_order_id":"c-0","at":"2026-07-10T06:30:00Z","outcome":"1"}\n'
    with path.open("ab") as file:
        file.write(done * LINES_MAX)

    assert len(journal.unsettled()) == 1
    assert len(path.read_bytes().splitlines()) == 1


def test_the_journal_is_the_users_alone(journal: Journal, tmp_path: Path) -> None:
    journal.intend("c-1", BODY, NOON)

    assert (tmp_path / "terminal" / "orders.jsonl").stat().st_mode & 0o777 == 0o600
