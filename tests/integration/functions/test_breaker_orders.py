"""An operator's word on a halt of the whole market: what one officer may, what takes two, and what
a kill leaves. What is said of a trade date stays: each test leaves an open market behind.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.audit import carry_out, order_breaker
from functions.shared.access.roles import Role
from functions.shared.clock import trade_date
from functions.shared.domain.errors import Retryable
from functions.shared.domain.market_halts import MarketHalt
from functions.shared.domain.sessions import Phase
from functions.shared.runtime.composition import Stores
from functions.shared.stores.market_halts import last_halt
from tests.integration.functions.test_officers import IN_TIME, codes
from tests.support.officers import WHY, Hire, Person

BREAKER = "/v1/admin/breaker"


def standing(stores: Stores) -> MarketHalt:
    """What every shard, and the cache, have of today."""
    halts = {last_halt(database) for database in stores.shards.databases}
    halts.add(stores.quotes.halt())
    [halt] = halts
    assert halt is not None
    assert halt.trade_date == trade_date(stores.clock.now())
    return halt


def phase(stores: Stores) -> Phase | None:
    return standing(stores).phase_at(stores.clock.now())


@pytest.fixture
def officers(hire: Hire, stores: Stores) -> Iterator[tuple[Person, Person]]:
    """Two risk officers, who leave an open market behind."""
    one, other = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER)
    yield one, other
    asked = one.ask("PUT", BREAKER, {"phase": "OPEN", **WHY})
    if asked.status == 202:
        assert other.approves(asked).status == 200


def halted(**more: Any) -> dict[str, Any]:
    return {"phase": "HALTED", **more, **WHY}


def test_one_officer_halts_the_market_and_two_open_it(
    stores: Stores, officers: tuple[Person, Person], hire: Hire
) -> None:
    one, other = officers
    assert codes(hire(Role.SUPPORT).ask("PUT", BREAKER, halted())) == ["ROLE_MISSING"]
    assert codes(one.ask("PUT", BREAKER, {"phase": "OPEN", **WHY})) == ["NOTHING_TO_DO"]
    said = one.ask("PUT", BREAKER, halted(stop_minutes=30))
    assert (said.status, said.body["applied"]) == (200, True)
    halt = standing(stores)
    assert (halt.cause, phase(stores)) == (f"AUDIT {said.body['audit_id']}", Phase.HALTED)
    assert halt.resumes_at is not None
    assert halt.opens_at == halt.resumes_at + timedelta(minutes=15)
    longer = one.ask("PUT", BREAKER, halted())
    assert (longer.status, standing(stores).resumes_at) == (200, None)
    shorter = one.ask("PUT", BREAKER, halted(stop_minutes=5))
    assert (shorter.status, shorter.body["action"]) == (202, "LIFT_BREAKER")
    assert codes(one.approves(shorter)) == ["OWN_REQUEST"]
    assert codes(one.ask("PUT", BREAKER, {"phase": "OPEN", **WHY})) == ["REQUEST_OPEN"]
    assert other.approves(shorter).status == 200
    assert standing(stores).resumes_at is not None
    asked = one.ask("PUT", BREAKER, {"phase": "REOPENING", "auction_minutes": 1, **WHY})
    assert (other.approves(asked).body["applied"], phase(stores)) == (True, Phase.REOPENING)
    assert "asked for" not in standing(stores).text  # why is the audit trail's


def test_a_word_that_could_not_be_carried_out_is_by_the_schedule_and_once(
    stores: Stores, officers: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = officers

    def die(*_: object) -> None:
        raise Retryable("killed")

    with monkeypatch.context() as killed:
        killed.setattr(order_breaker.breaker_orders, "finish", die)
        said = one.ask("PUT", BREAKER, halted())
    assert (said.status, said.body["applied"]) == (200, False)
    halt = standing(stores)
    assert carry_out.lambda_handler({}, IN_TIME)["breaker"] == 1
    assert carry_out.lambda_handler({}, IN_TIME)["breaker"] == 0
    assert standing(stores) == halt


@pytest.mark.parametrize(
    "body", [{"phase": "OPEN", "stop_minutes": 5}, {"phase": "CLOSED"}, {"stop_minutes": 5}]
)
def test_a_word_that_makes_no_sense_is_malformed(
    officers: tuple[Person, Person], body: dict[str, Any]
) -> None:
    assert officers[0].ask("PUT", BREAKER, {**body, **WHY}).status == 400
