from decimal import Decimal

import msgspec
import pytest

from tests.support.terminal import LADDERS, PLANS, funds, order
from tests.support.terminal_prices import NOON
from tui.client.models import Alert, Reason
from tui.state.account import Account, apply, loaded
from tui.state.alerts import KEPT_MAX, Alerts, News, add, became, read, told

ACCOUNT = loaded(funds(), LADDERS, [], [], PLANS)
STOP = LADDERS[-1]
UNFILLED = Alert(
    code="EXIT_UNFILLED", message="5 TCS are not out yet", user_seq=9, order_id="7", symbol="TCS"
)


def _after(status: str, **changes: object) -> list[News]:
    moved = order(
        "2007", symbol="TCS", side="SELL", quantity=5, status=status, version=2, **changes
    )
    return became(ACCOUNT, apply(ACCOUNT, moved))


def test_a_trigger_that_fired_is_told() -> None:
    (news,) = _after("PENDING")

    assert (news.code, news.is_bad) == ("TRIGGERED", False)
    assert news.message == "SELL 5 TCS, waiting for 3,890.00, has gone to the exchange"


def test_an_order_refused_at_its_trigger_is_told_with_the_reason() -> None:
    reason = Reason(code="INSUFFICIENT_HOLDINGS", message="none to sell")
    (news,) = _after("DENIED", reason=reason)

    assert (news.code, news.order_id) == ("REFUSED_AT_TRIGGER", "2007")
    assert news.message.endswith("was refused at its trigger: none to sell")


@pytest.mark.parametrize("status", ["CANCELLED", "TRIGGER_PENDING"])
def test_what_the_user_did_and_a_trigger_that_followed_the_price_are_no_news(status: str) -> None:
    assert _after(status, trigger_price=Decimal("3900.00")) == []


def test_of_what_was_not_known_before_there_is_no_news() -> None:
    assert became(Account(), ACCOUNT) == []


def test_a_plan_that_ends_with_something_left_is_told() -> None:
    reason = Reason(code="WINDOW_OVER", message="36 are left as its time is over")
    ended = msgspec.structs.replace(PLANS[0], state="EXPIRED", version=9, reason=reason)
    (news,) = became(ACCOUNT, apply(ACCOUNT, ended))

    assert news.code == "PLAN_EXPIRED"
    assert "36 are left" in news.message


def test_news_told_again_after_a_reconnect_is_taken_once() -> None:
    alerts, fresh = add(Alerts(), [told(UNFILLED), told(UNFILLED), *_after("PENDING")], NOON)
    again, none = add(alerts, [told(UNFILLED), *_after("FILLED")], NOON)

    assert (len(fresh), alerts.unread, none) == (2, 2, [])
    assert again == alerts
    assert [each.code for each in alerts.items] == ["TRIGGERED", "EXIT_UNFILLED"]
    assert read(alerts).unread == 0


def test_the_newest_alerts_are_kept() -> None:
    news = [told(msgspec.structs.replace(UNFILLED, user_seq=seq)) for seq in range(KEPT_MAX + 5)]
    alerts, _ = add(Alerts(), news, NOON)

    assert len(alerts.items) == KEPT_MAX
    assert alerts.items[0].key == news[-1].key
