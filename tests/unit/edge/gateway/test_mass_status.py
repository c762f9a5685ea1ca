"""The venue's open orders against ours: what differs is asked about, and noted once sure."""

import pytest

from edge.gateway.mass_status import AGAIN_SECONDS, REVIEW_SECONDS
from edge.gateway.order_check import VenueOrder, compare
from edge.gateway.translate import UNOWNED_REQUEST
from functions.shared.stores.venue_review import LedgerOrder
from tests.unit.edge.gateway.test_reports_out import Setting

OURS = LedgerOrder(2 << 22, 7, "INFY", "BUY", "OPEN", 10, 0, 15_000_000, 0, 2, 1)
THEIRS = VenueOrder(OURS.tag, OURS.order_id, "7", "INFY", "BUY", 10, 0, 15_000_000)


def kinds(ours: list[LedgerOrder], theirs: list[VenueOrder]) -> list[str]:
    found = compare({o.order_id: o for o in ours}, {o.tag: o for o in theirs})
    return [f.difference.kind for f in found]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([OURS], [THEIRS], []),
        ([OURS], [], ["LOST_ORDER"]),
        ([], [THEIRS], ["UNKNOWN_ORDER"]),
        ([], [THEIRS._replace(tag="x", order_id=0)], ["UNKNOWN_ORDER"]),
        ([OURS], [THEIRS._replace(quantity=9)], ["UNEQUAL_ORDER"]),
        ([OURS], [THEIRS._replace(filled=1)], ["UNEQUAL_ORDER"]),
        ([OURS], [THEIRS._replace(price=1)], ["UNEQUAL_ORDER"]),
        ([OURS], [THEIRS._replace(account="8")], ["UNEQUAL_ORDER"]),
        ([OURS._replace(status="CANCELLED")], [THEIRS], ["UNEQUAL_ORDER"]),
        ([OURS._replace(status="CANCELLED")], [], []),
        # What waits for an answer is the sweep's: the venue may or may not have it.
        ([OURS._replace(status="PENDING", answered=0)], [], []),
        ([OURS._replace(status="PENDING", answered=0)], [THEIRS], []),
        ([OURS._replace(answered=0)], [THEIRS._replace(quantity=9)], []),
    ],
)
def test_only_what_can_not_be_on_its_way_differs(
    ours: list[LedgerOrder], theirs: list[VenueOrder], expected: list[str]
) -> None:
    assert kinds(ours, theirs) == expected


class Looking:
    """A session that has logged on, and the venue's answers to its looks."""

    def __init__(self, *theirs: VenueOrder) -> None:
        self.setting = Setting()
        self.theirs = theirs
        self.position = 0
        self.session = 0  # INFY's, of two
        self.setting.mass.changed(self.session, up=True)

    def look(self) -> None:
        """One round: asked, answered, applied, compared."""
        mass, engine = self.setting.mass, self.setting.engine
        mass.look_once()
        request = engine.sent[-1][584]
        count = len(self.theirs)
        for number, order in enumerate(self.theirs, start=1):
            self.position += 1
            fields = {
                35: "8", 150: "I", 39: "0", 584: request, 911: str(count), 11: order.tag,
                1: order.account, 912: "Y" if number == count else "N",
                55: order.symbol, 54: "1", 38: str(order.quantity), 14: str(order.filled),
                44: "1500",
            }  # fmt: skip
            mass.heard(self.session, self.position, fields)
        if not count:
            self.position += 1
            mass.heard(self.session, self.position, {35: "8", 584: request, 911: "0", 912: "Y"})
        mass.look_once()  # not applied yet: nothing is compared
        assert engine.sent[-1].get(584) == request
        self.setting.positions[self.session].settle(1, self.position)
        self.setting.positions[self.session].advance((), 0.0)
        mass.look_once()

    def cancelled(self) -> list[str]:
        return [m[41] for m in self.setting.engine.sent if m[35] == "F"]

    def asked(self) -> list[str]:
        return [m[11] for m in self.setting.engine.sent if m[35] == "H"]


def test_a_lost_order_is_asked_about_by_the_second_look_and_noted_by_the_third() -> None:
    looking = Looking()
    looking.setting.review.orders = [OURS]
    looking.look()
    assert looking.asked() == []
    looking.setting.now += AGAIN_SECONDS
    looking.look()
    assert looking.asked() == [OURS.tag]
    assert looking.setting.review.noted == []
    looking.setting.now += AGAIN_SECONDS
    looking.look()
    ((noted,),) = looking.setting.review.noted
    assert (noted.kind, noted.subject, noted.venue_says) == ("LOST_ORDER", OURS.tag, "")
    assert {m[35] for m in looking.setting.engine.sent} == {"AF", "H"}
    looking.setting.now += REVIEW_SECONDS
    looking.look()  # asked again: its day may be over by now
    assert looking.asked() == [OURS.tag] * 3
    looking.setting.review.orders = []  # a person has ended it
    looking.setting.now += REVIEW_SECONDS
    looking.look()
    assert looking.setting.review.noted[-1] == []


def test_what_changed_between_two_looks_is_not_noted() -> None:
    looking = Looking()
    for version in range(2, 6):
        looking.setting.review.orders = [OURS._replace(version=version)]
        looking.look()
        looking.setting.now += AGAIN_SECONDS
    assert (looking.asked(), looking.setting.review.noted) == ([], [])
    looking.setting.review.orders = []
    looking.look()
    assert looking.setting.review.noted == [[]]


def test_an_order_that_differs_in_quantity_is_asked_about_and_one_we_dont_know_is_noted() -> None:
    unknown = THEIRS._replace(tag=str(9 << 22), order_id=9 << 22)
    looking = Looking(THEIRS._replace(quantity=9), unknown)
    looking.setting.review.orders = [OURS]
    for _ in range(3):
        looking.look()
        looking.setting.now += AGAIN_SECONDS
    assert looking.asked() == [THEIRS.tag]
    (noted,) = looking.setting.review.noted
    assert [(d.kind, d.subject) for d in noted] == [
        ("UNEQUAL_ORDER", THEIRS.tag),
        ("UNKNOWN_ORDER", unknown.tag),
    ]


def test_what_the_venue_has_open_and_no_hold_covers_is_cancelled_there() -> None:
    unknown = THEIRS._replace(tag=str(9 << 22), order_id=9 << 22)
    foreign = THEIRS._replace(tag="desk-1", order_id=0)
    moving = THEIRS._replace(tag=str(8 << 22), order_id=8 << 22)
    looking = Looking(THEIRS, unknown, foreign, moving)
    review = looking.setting.review
    review.orders = [OURS._replace(status="CANCELLED")]  # has ended here, and holds nothing
    review.elsewhere = {moving.order_id}  # at work on a shard that hands its slot over
    for _ in range(2):
        looking.look()
        looking.setting.now += AGAIN_SECONDS
    assert looking.cancelled() == []
    looking.look()
    assert looking.cancelled() == [OURS.tag, unknown.tag, "desk-1"]
    numbers = [number for _, number in review.cancels]
    assert [subject for subject, _ in review.cancels] == looking.cancelled()
    tags = [m[11] for m in looking.setting.engine.sent if m[35] == "F"]
    owners = [OURS.order_id, unknown.order_id, 0]
    assert tags == [f"{owner}-{n}" for owner, n in zip(owners, numbers, strict=True)]
    assert min(numbers) >= UNOWNED_REQUEST
    looking.setting.now += REVIEW_SECONDS
    looking.look()  # still there
    assert len(looking.cancelled()) == 6
    assert len(set(review.cancels)) == 6


def test_a_venue_that_others_trade_on_under_our_name_is_told_nothing_when_so_set() -> None:
    looking = Looking(THEIRS._replace(tag="desk-1", order_id=0))
    looking.setting.mass._cancel_unowned = False
    for _ in range(3):
        looking.look()
        looking.setting.now += AGAIN_SECONDS
    assert [d.kind for d in looking.setting.review.noted[-1]] == ["UNKNOWN_ORDER"]
    assert looking.cancelled() == []
