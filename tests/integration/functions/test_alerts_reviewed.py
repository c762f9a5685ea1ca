"""The reviewers' queue: who sees it, who decides, once, and what a dismissal frees."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from functions.shared.access.roles import Role
from functions.shared.clock import micros
from functions.shared.domain.surveillance.findings import Finding, Reason, Rule
from functions.shared.runtime.composition import Stores
from functions.shared.stores.objects import FileObjects
from functions.shared.stores.surveillance import Surveillance
from functions.surveillance import carry_out
from functions.surveillance.handler import lambda_handler
from tests.support.api_events import Answer
from tests.support.officers import WHY, Hire, Person

_RESTRICTIONS = (
    "SELECT count(*) FILTER (WHERE ended_seq IS NULL), count(*) FROM ledger.symbol_restriction"
    " WHERE user_id = :u::bigint"
)


@pytest.fixture(autouse=True)
def objects(stores: Stores, tmp_path: Path) -> None:
    stores.__dict__["objects"] = FileObjects(tmp_path / "objects")


def raise_alert(stores: Stores, user: int, score: int, rule: Rule = Rule.WASH_TRADING) -> str:
    """Its number."""
    now = stores.clock.now()
    finding = Finding(
        rule, user, f"S{score}", now.date().isoformat(), micros(now),
        (Reason("ROUND_TRIPS", "12", "10", score),), 7, round_trips=12, side="SELL", price=1_000,
    )  # fmt: skip
    store = Surveillance(stores.shards.control)
    store.take_in({}, {}, carry_out.rows_of([finding]))
    found = [a for a in store.alerts(500, None, 0, None) if (a.user_id, a.score) == (user, score)]
    return str(found[0].alert_id)


def restrictions(stores: Stores, user: int) -> list[int]:
    """In force, and ever."""
    [row] = stores.shards.of_user(user).run(_RESTRICTIONS, u=user)
    return [int(count) for count in row]


def ask(person: Person, method: str, target: str, body: object = None) -> Answer:
    return person.ask(method, f"/v1/admin/alerts{target}", body, lambda_handler)


def test_an_alert_is_dismissed_once_audited_and_frees_what_it_restricted(
    stores: Stores, hire: Hire
) -> None:
    risk, other, user = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER), hire()
    number = raise_alert(stores, user.user_id, 71)
    carry_out.carry_out_all(stores)
    assert restrictions(stores, user.user_id) == [1, 1]
    dismissed = ask(risk, "POST", f"/{number}/dismiss", WHY)
    assert (dismissed.status, dismissed.body["state"]) == (200, "DISMISSED")
    assert (dismissed.body["measure"], dismissed.body["applied"]) == ("LIFT", True)
    assert restrictions(stores, user.user_id) == [0, 1]
    again = ask(other, "POST", f"/{number}/accept", WHY)
    assert (again.status, again.body["code"]) == (409, "ALERT_DECIDED")
    assert ("ALERT_DISMISSED", risk.user_id, "203.0.113.7") in user.told()
    carry_out.carry_out_all(stores)
    assert restrictions(stores, user.user_id) == [0, 1]


def test_an_accepted_alert_keeps_its_restriction_and_needs_a_reason(
    stores: Stores, hire: Hire
) -> None:
    risk, user = hire(Role.RISK_OFFICER), hire()
    number = raise_alert(stores, user.user_id, 72)
    for body in ({}, {"why": "x"}, {**WHY, "more": 1}):
        assert ask(risk, "POST", f"/{number}/accept", body).body["code"] == "INVALID_REQUEST"
    accepted = ask(risk, "POST", f"/{number}/accept", WHY)
    assert (accepted.body["state"], accepted.body["decided_by"]) == ("ACCEPTED", str(risk.user_id))
    assert restrictions(stores, user.user_id) == [1, 1]  # the decision found it undone, and did it


def test_a_dismissal_that_overtakes_the_restriction_leaves_none(stores: Stores, hire: Hire) -> None:
    risk, user = hire(Role.RISK_OFFICER), hire()
    number = raise_alert(stores, user.user_id, 73)
    [stale] = [a for a in carry_out.to_do(stores) if str(a.alert_id) == number]
    ask(risk, "POST", f"/{number}/dismiss", WHY)
    carry_out.carry_out(stores, stale)  # had read it before it was dismissed
    assert restrictions(stores, user.user_id) == [0, 1]


def test_only_risk_officers_decide_auditors_read_and_nobody_about_themselves(
    stores: Stores, hire: Hire
) -> None:
    risk, auditor, support = hire(Role.RISK_OFFICER), hire(Role.AUDITOR), hire(Role.SUPPORT)
    number = raise_alert(stores, risk.user_id, 74)
    assert ask(support, "GET", "").body["code"] == "ROLE_MISSING"
    assert ask(auditor, "GET", "").status == 200
    for person, code in ((auditor, "ROLE_MISSING"), (risk, "OWN_ACCOUNT")):
        refused = ask(person, "POST", f"/{number}/dismiss", WHY)
        assert (refused.status, refused.body["code"]) == (403, code)
    missing = [ask(risk, "POST", f"/{n}/accept", WHY).status for n in ("9" * 15, "0", "x")]
    assert missing == [404, 404, 404]
    looked = stores.shards.control.run(
        "SELECT detail ->> 'of' FROM identity.audit WHERE actor = :u::bigint"
        " AND action = 'USER_READ'",
        u=auditor.user_id,
    )
    assert looked == [["alerts"]]


def test_the_queue_shows_the_highest_score_first_page_by_page(stores: Stores, hire: Hire) -> None:
    risk, user = hire(Role.RISK_OFFICER), hire()
    for score in (95, 91, 99, 93):
        raise_alert(stores, user.user_id, score, Rule.SPOOFING)
    seen: list[int] = []
    target = "?state=OPEN&score=91&limit=1"
    cursor = ""
    for _ in range(100):
        page = ask(risk, "GET", f"{target}{cursor}").body
        seen += [a["score"] for a in page["items"] if a["user_id"] == str(user.user_id)]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [99, 95, 93, 91]
    assert ask(risk, "GET", "?cursor=abc").body["code"] == "INVALID_REQUEST"


def test_a_higher_score_replaces_an_open_alerts_reasons_and_a_decided_one_stays(
    stores: Stores, hire: Hire
) -> None:
    risk, user = hire(Role.RISK_OFFICER), hire()
    store, now = Surveillance(stores.shards.control), stores.clock.now()

    def found(points: int) -> Finding:
        reasons = (Reason("LAYERS", str(points), "3", points),)
        return Finding(Rule.SPOOFING, user.user_id, "ACME", _day(now), micros(now), reasons)

    for points in (70, 90, 80):
        store.take_in({}, {}, carry_out.rows_of([found(points)]))
    [alert] = [a for a in store.alerts(500, None, 0, None) if a.user_id == user.user_id]
    assert (alert.score, alert.reasons[0].value) == (90, "90")
    ask(risk, "POST", f"/{alert.alert_id}/accept", WHY)
    store.take_in({}, {}, carry_out.rows_of([found(95)]))
    after = store.alert(alert.alert_id)
    assert after is not None
    assert (after.score, after.state) == (90, "ACCEPTED")


def _day(now: datetime) -> str:
    return (now + timedelta(hours=5, minutes=30)).date().isoformat()
