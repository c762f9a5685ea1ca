"""Corporate actions in the master: taken in by a file, tried dry, replaced, and read by charts."""

from collections.abc import Iterator
from datetime import date

import pytest

from functions.shared.domain.corporate_actions import ActionKind, CorporateAction
from functions.shared.stores.corporate_actions import splits_and_bonuses
from functions.shared.stores.postgres import Database
from infra.command.corporate_actions import Row, take_in
from infra.local.postgres import APPLICATION, OWNER
from tests.support.postgres import ShardsUnderTest

EX_DATE = date(2026, 7, 10)


def split(given: int, line: int = 2, symbol: str = "TCS") -> Row:
    return Row(line, symbol, EX_DATE, ActionKind.SPLIT, given, 1)


@pytest.fixture
def owner(databases: ShardsUnderTest) -> Iterator[Database]:
    made = Database(databases.urls(OWNER)[0], "test")
    yield made
    made.run("DELETE FROM market.corporate_action")
    made.close()


@pytest.fixture
def known(databases: ShardsUnderTest, owner: Database) -> Iterator[Database]:
    """As the functions read them."""
    made = Database(databases.urls(APPLICATION)[0], "test")
    yield made
    made.close()


def of_tcs(known: Database, until: date = EX_DATE) -> list[CorporateAction]:
    ((token,),) = known.run("SELECT token FROM market.instrument WHERE symbol = 'TCS'")
    return splits_and_bonuses(known, [token], until).get(token, [])


def test_a_file_is_taken_in_and_a_later_one_replaces_what_it_said(
    owner: Database, known: Database
) -> None:
    assert take_in(owner, [split(5)], "first.csv", dry_run=False) == (1, 1, [])
    assert take_in(owner, [split(2)], "second.csv", dry_run=False) == (1, 0, [])

    assert of_tcs(known) == [CorporateAction(EX_DATE, ActionKind.SPLIT, 2, 1)]


def test_a_dry_run_says_what_would_be_and_changes_nothing(owner: Database, known: Database) -> None:
    assert take_in(owner, [split(5)], "a.csv", dry_run=True) == (1, 1, [])

    assert of_tcs(known) == []


def test_a_share_that_is_not_listed_is_refused_and_stops_no_other(
    owner: Database, known: Database
) -> None:
    rows = [split(5, symbol="NOSUCH"), split(5, line=3)]

    taken, new, unlisted = take_in(owner, rows, "a.csv", dry_run=False)

    assert (taken, new) == (1, 1)
    assert [tuple(each) for each in unlisted] == [(2, "NOSUCH is not listed")]
    assert len(of_tcs(known)) == 1


def test_what_was_only_announced_and_what_was_paid_adjusts_nothing(
    owner: Database, known: Database
) -> None:
    paid = Row(3, "TCS", date(2026, 7, 9), ActionKind.DIVIDEND, 1_250, 1)
    take_in(owner, [split(5), paid], "a.csv", dry_run=False)

    assert of_tcs(known, date(2026, 7, 9)) == []
    assert len(of_tcs(known)) == 1
