"""What the ledger's events say of the orders that are watched."""

import msgspec
import pytest

from edge.triggers.feed import Ended, change_of
from edge.triggers.plans import PlanEnded, SliceSeen
from functions.shared.stores.streams import Delivered
from functions.shared.stores.waiting_orders import WatchedOrder
from functions.shared.stores.watched_plans import WatchedPlan

ORDER: dict[str, object] = {
    "order_id": 5, "symbol": "INFY", "status": "PENDING", "version": 2, "trigger_price": None,
    "trigger_above": None, "releases_at": None, "expires_at": None, "pending_change": None,
    "stance": None, "updated_at": 1,
}  # fmt: skip


def told(**changes: object) -> Delivered:
    event = {"user_id": 7, "body": {"order": ORDER | changes}}
    return Delivered("1-1", "7", msgspec.json.encode(event), False)


@pytest.mark.parametrize("waited_for", [{"releases_at": 1}, {"trigger_price": 10}])
def test_an_order_of_the_day_that_was_released_is_watched_no_more(
    waited_for: dict[str, int],
) -> None:
    assert change_of(told(**waited_for)) == Ended(5, 2)
    assert isinstance(change_of(told(**waited_for, expires_at=9)), WatchedOrder)


def test_an_order_that_never_waited_is_not_watched() -> None:
    assert change_of(told()) is None


PLAN: dict[str, object] = {"plan_id": 9, "kind": "TWAP", "state": "ACTIVE", "ends_at": 300}


def told_of_plan(**more: object) -> Delivered:
    body = {"plan": PLAN | more} | {name: more[name] for name in ("slices",) if name in more}
    return Delivered("1-1", "7", msgspec.json.encode({"user_id": 7, "body": body}), False)


def test_a_plan_is_watched_from_its_opening_to_its_end() -> None:
    opened = told_of_plan(slices=[{"due_at": 100}, {"due_at": 200}])
    assert change_of(opened) == WatchedPlan(9, 7, False, (100, 200, 300))
    iceberg = told_of_plan(kind="ICEBERG", slices=[{"due_at": None}])
    assert change_of(iceberg) == WatchedPlan(9, 7, True, (300,))
    assert change_of(told_of_plan()) == WatchedPlan(9, 7, False, (300,))  # opened again
    assert change_of(told_of_plan(state="EXPIRED")) == PlanEnded(9)


@pytest.mark.parametrize(("status", "works"), [("OPEN", True), ("FILLED", False)])
def test_an_order_of_a_plan_tells_whether_it_works(status: str, works: bool) -> None:
    record = told(client_order_id="PL-9-1", parent_order_id=9, status=status)
    assert change_of(record) == SliceSeen(9, 5, works)
