"""The schedule that writes contract notes: who gets one when, and what a run cut short leaves."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest

from functions.ledger import write_notes
from functions.shared.bookkeeping import contract_notes
from functions.shared.bookkeeping.contract_notes import FIRST, Booked, DueNote
from functions.shared.domain.contract_note import ContractNote, OrderTraded
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.runtime import composition
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Database, Shards
from tests.support.ledger import LAKH, NOON, TODAY, Trader

CLOSED = NOON + timedelta(hours=5)
OUT_OF_TIME = 1_000


class Hints:
    """Takes the relay's wake-up hints."""

    def spublish(self, channel: str, message: str) -> int:
        return 1


@pytest.fixture
def run(shards: Shards, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the schedule at a time; returns how many notes it wrote."""

    def run_at(now: datetime = CLOSED, left: list[int] | None = None) -> int:
        clock = SimpleNamespace(now=lambda: now, hours="nse")
        stores = SimpleNamespace(
            shards=shards, valkey=Hints(), clock=clock, instruments=InstrumentMaster(shards.control)
        )
        monkeypatch.setattr(composition, "stores", lambda: stores)
        remaining = iter(left or [])
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: next(remaining, 50_000))
        return write_notes.lambda_handler({}, context)["written"]

    return run_at


@pytest.fixture
def traders(shards: Shards) -> list[Trader]:
    """Five users of both shards who traded today, and one who did not."""
    found = [Trader(shards, user_id, LAKH) for user_id in (1, 2, 33, 40, 64)]
    for trader in found:
        trader.own(10)
    Trader(shards, 65, LAKH)
    return found


def have_notes(traders: list[Trader], day: date = TODAY) -> list[int]:
    return [
        trader.user_id
        for trader in traders
        if contract_notes.latest_notes(trader.shards, trader.user_id, day + timedelta(days=1), 1)
    ]


def all_due(shards: Shards) -> list[DueNote]:
    return [
        due
        for shard in shards.databases
        for due in contract_notes.due_notes(shard, date.max, FIRST, 500)
    ]


def test_everybody_who_traded_has_a_note_after_the_close_and_once(
    run: Callable[..., int], traders: list[Trader], shards: Shards
) -> None:
    assert run(NOON) == 0
    assert run() == 5
    assert have_notes(traders) == [trader.user_id for trader in traders]
    assert run() == 0
    assert all_due(shards) == []


def test_a_day_that_was_missed_is_made_up_for(
    run: Callable[..., int], traders: list[Trader]
) -> None:
    for trader in traders:
        trader.settle()
        trader.own(1)
    assert run(CLOSED + timedelta(days=14)) == 10


def test_a_run_out_of_time_ends_and_the_next_one_goes_on(
    run: Callable[..., int], traders: list[Trader]
) -> None:
    assert run(left=[50_000, 50_000, OUT_OF_TIME]) >= 2
    assert len(have_notes(traders)) < 5
    run()
    assert len(have_notes(traders)) == 5


def test_more_than_a_page_is_worked_through(
    run: Callable[..., int], traders: list[Trader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_notes, "_PAGE_ROWS", 1)
    assert run() == 5


def test_an_account_without_rates_fails_the_run_after_everybody_else_has_theirs(
    run: Callable[..., int], traders: list[Trader], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = write_notes.contract_note
    unlucky = traders[1].order(traders[1].buy(1)).order_id
    traders[1].fill(unlucky, 1)

    def without_rates(day: date, orders: tuple[OrderTraded, ...]) -> ContractNote:
        if unlucky in {order.order_id for order in orders}:
            raise LookupError("no stt rate")
        return compute(day, orders)

    monkeypatch.setattr(write_notes, "contract_note", without_rates)
    with pytest.raises(
        InvariantViolated, match=f"^not worked: written DueNote.*user_id={traders[1].user_id}.$"
    ):
        run()
    others = [trader.user_id for trader in traders if trader is not traders[1]]
    assert have_notes(traders) == others


def test_a_shard_that_is_away_leaves_the_others_their_notes(
    run: Callable[..., int], traders: list[Trader], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(shard: Database, *arguments: object) -> list[DueNote]:
        if shard is traders[0].shards.databases[0]:
            raise Retryable("away")
        return contract_notes.due_notes(shard, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(write_notes, "due_notes", away)
    written = run()
    assert 0 < written < 5
    assert len(have_notes(traders)) == written


@pytest.mark.parametrize("booked_first", [False, True], ids=["before the note", "after the note"])
def test_a_run_cut_off_around_the_booking_is_made_whole_by_the_next(
    run: Callable[..., int], shards: Shards, monkeypatch: pytest.MonkeyPatch, booked_first: bool
) -> None:
    trader = Trader(shards, 7, LAKH)
    trader.own(10)
    trader.settle()
    trader.fill(trader.sell(10), 10)
    later = CLOSED + (trader.now - NOON)
    book, calls = write_notes.book_note, []

    def breaks_once(*arguments: object) -> Booked:
        calls.append(arguments)
        if len(calls) == 1 and not booked_first:
            raise Retryable("the connection broke")
        booked = book(*arguments)  # type: ignore[arg-type]
        if len(calls) == 1:
            raise Retryable("booked, and the answer was lost")
        return booked

    monkeypatch.setattr(write_notes, "book_note", breaks_once)
    run(later)
    run(later)
    assert trader.kinds().count("DP_CHARGED") == 1
    assert trader.kinds().count("CONTRACT_NOTE") == 2  # one a trade date
    assert all_due(shards) == []
