"""The ledger's payments against the bank's: each kind of difference is named, none is made up."""

import pytest

from infra.command.reconcile_bank import Booked, Done, compare

OUT = Booked("OUT", "7", 500, "PAID", idle=True, moved=-500)
IN = Booked("IN", "7", 500, "COLLECTED", idle=True, moved=500)
PAID = Done("OUT", "7", 500, "DONE")
TAKEN = Done("IN", "7", 500, "DONE")


@pytest.mark.parametrize(
    ("done", "booked"),
    [
        (PAID, OUT),
        (TAKEN, IN),
        (PAID._replace(status="REFUSED"), OUT._replace(state="RETURNED", moved=0)),
        (TAKEN._replace(status="REFUSED"), IN._replace(state="FAILED", moved=0)),
        # Under way: the bank may have done it, refused it, be at it, or never have heard of it.
        (PAID, OUT._replace(state="SENT", idle=False, moved=0)),
        (PAID._replace(status="PENDING"), OUT._replace(state="SENT", idle=False, moved=0)),
        (None, OUT._replace(state="REQUESTED", idle=False, moved=0)),
        (None, IN._replace(state="REQUESTED", idle=False, moved=0)),
    ],
)
def test_what_agrees_or_is_under_way_is_no_difference(done: Done | None, booked: Booked) -> None:
    report = compare({} if done is None else {"1": done}, {"1": booked})
    assert report.ok, report.problems
    assert report.checked["payments"] == 1


@pytest.mark.parametrize(
    ("done", "booked", "words"),
    [
        (PAID, None, "the ledger does not"),
        (None, OUT, "PAID in the ledger, unknown to the bank"),
        (PAID, OUT._replace(state="RETURNED", moved=0), "RETURNED in the ledger, DONE at the bank"),
        (TAKEN, IN._replace(state="FAILED", moved=0), "FAILED in the ledger, DONE at the bank"),
        (PAID._replace(status="REFUSED"), OUT, "PAID in the ledger, REFUSED at the bank"),
        (PAID._replace(status="PENDING"), OUT, "PAID in the ledger, PENDING at the bank"),
        (PAID._replace(amount=501), OUT, "amount 500 in the ledger, 501 at the bank"),
        (PAID._replace(account="8"), OUT, "account 7 in the ledger, 8 at the bank"),
        (TAKEN, OUT, "direction OUT in the ledger, IN at the bank"),
        (PAID, OUT._replace(moved=-1_000), "its postings to house:bank come to -1000"),
        (TAKEN, IN._replace(moved=0), "its postings to house:bank come to 0"),
        (PAID, OUT._replace(state="SENT", moved=0), "nobody asks the bank about it"),
        (PAID, OUT._replace(state="SENT", idle=False), "-500 moved"),
    ],
)
def test_each_kind_of_difference_is_named(
    done: Done | None, booked: Booked | None, words: str
) -> None:
    report = compare({} if done is None else {"1": done}, {} if booked is None else {"1": booked})
    assert [words in problem for problem in report.problems] == [True], report.problems


def test_a_flood_of_differences_is_cut_and_counted() -> None:
    report = compare({str(number): PAID for number in range(100)}, {})
    assert len(report.problems) == 51
    assert report.problems[-1] == "and 50 more"
