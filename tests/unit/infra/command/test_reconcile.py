"""Comparing two books: what differs is said once, what agrees is not."""

import pytest

from infra.command.reconcile import Book, Fill, Order, compare

ORDERS = {7: Order(1, "ACME", "BUY", 10, 1_000_500, 4, "PARTIALLY_FILLED")}
FILLS = {("20260710", "E1"): Fill(7, 1, 4, 1_000_000)}


def book(**changes: object) -> Book:
    return Book(dict(ORDERS), dict(FILLS), [])._replace(**changes)  # type: ignore[arg-type]


def test_books_that_agree_have_no_differences() -> None:
    report = compare(book(), book())
    assert report.ok
    assert report.checked == {"orders": 1, "fills": 1}
    assert report.text() == "nothing is wrong (2 checks of 2 rows)"
    assert report.text(verbose=True).splitlines()[1:] == ["         1  orders", "         1  fills"]
    report.problems += ["order 7: lost", "order 8: lost"]
    assert report.text() == (
        "2 things are wrong (2 checks of 2 rows)\norder 7: lost\norder 8: lost"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "ledger", "words"),
    [
        ({}, {"orders": {}}, "order 7: the venue has it, the ledger does not"),
        ({"orders": {}}, {}, "order 7: PARTIALLY_FILLED in the ledger, unknown to the venue"),
        ({"orders": {7: ORDERS[7]._replace(status="CANCELLED")}}, {},
         "order 7: status PARTIALLY_FILLED in the ledger, CANCELLED at the venue"),
        ({"orders": {7: ORDERS[7]._replace(price=1_000_000)}}, {},
         "order 7: price 1000500 in the ledger, 1000000 at the venue"),
        ({"orders": {7: ORDERS[7]._replace(filled=5)}}, {},
         "order 7: filled 4 in the ledger, 5 at the venue"),
        ({}, {"fills": {}}, "fill E1 of 20260710: not booked"),
        ({"fills": {}}, {}, "fill E1 of 20260710: booked, unknown to the venue"),
        ({"fills": {("20260710", "E1"): Fill(7, 1, 4, 1_000_500)}}, {}, "price=1000500"),
        ({}, {"problems": ["fill E1 of 20260710: booked on two shards"]}, "booked on two shards"),
    ],
)  # fmt: skip
def test_each_kind_of_difference_is_named(
    venue: dict[str, object], ledger: dict[str, object], words: str
) -> None:
    report = compare(book(**venue), book(**ledger))
    assert len(report.problems) == 1
    assert words in report.problems[0]
    assert not report.ok


def test_a_flood_of_differences_is_cut_and_counted() -> None:
    many = dict.fromkeys(range(100), ORDERS[7])
    report = compare(book(), book(orders=many))
    assert len(report.problems) == 51
    assert report.problems[-1] == "and 49 more"
