"""The kill switch at the API: a session turns it on; time and the second factor turn it off."""

from datetime import timedelta
from typing import Any

import pytest

from functions.auth import kill_switch_routes
from functions.risk import handler as risk
from functions.shared.runtime.composition import Stores
from tests.support.account_desk import Clock, Person, clock, outbox, person, trader
from tests.support.api_events import api_event, call
from tests.support.bank import bank

__all__ = ["bank", "clock", "outbox", "person", "trader"]

_PATH = "/v1/risk/kill-switch"


@pytest.fixture(autouse=True)
def same_clock(clock: Clock, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """The business clock goes with the wall's."""
    monkeypatch.setattr(kill_switch_routes, "wall_now", clock)


def shown(who: Person) -> Any:
    answer = call(risk.lambda_handler, api_event("GET", "/v1/risk/limits", token=who.token))
    assert answer.status == 200, answer.body
    return answer.body["kill_switch"]


def test_a_session_turns_it_on_and_only_time_and_the_second_factor_turn_it_off(
    trader: Person, clock: Clock
) -> None:
    assert shown(trader) == {"on": False, "may_end_at": None}
    assert trader.ok("GET", "/v1/profile")["kill_switch"] is False
    on = trader.ok("POST", _PATH, {"on": True})
    assert (on["on"], on["cancelled_orders"], on["cancelled_plans"]) == (True, [], [])
    assert trader.ok("POST", _PATH, {"on": True}) == on
    assert shown(trader) == {"on": True, "may_end_at": on["may_end_at"]}
    assert trader.ok("GET", "/v1/profile")["kill_switch"] is True

    code = trader.code()
    early = trader.send("POST", _PATH, {"on": False, "totp": code})
    assert (early.status, early.body["code"]) == (422, "KILL_SWITCH_WAITS")
    assert early.body["may_end_at"] == on["may_end_at"]
    clock.pass_by(timedelta(hours=12))
    trader.renew()
    assert trader.refused("POST", _PATH, {"on": False}) == "FACTOR_REFUSED"
    assert trader.refused("POST", _PATH, {"on": False, "totp": code}) == "FACTOR_REFUSED"
    code = trader.code()
    off = trader.ok("POST", _PATH, {"on": False, "totp": code})
    assert (off["on"], off["may_end_at"]) == (False, None)
    # Off already: nothing is asked, and no code is used up.
    assert trader.ok("POST", _PATH, {"on": False}) == off


@pytest.mark.parametrize("body", [{}, {"on": "yes"}, {"on": 1}, {"on": True, "off": True}])
def test_a_body_that_does_not_say_on_or_off_is_refused(trader: Person, body: Any) -> None:
    assert trader.send("POST", _PATH, body).status in {400, 422}
    assert shown(trader) == {"on": False, "may_end_at": None}
