"""What the ledger's events say of the orders that are watched."""

import msgspec
import pytest

from edge.triggers.feed import Ended, change_of
from functions.shared.stores.streams import Delivered
from functions.shared.stores.waiting_orders import WatchedOrder

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
