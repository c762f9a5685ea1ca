"""Support, risk officers and auditors: what each may, what takes two, and what a kill leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.audit import carry_out
from functions.shared.access.accounts import read_profile
from functions.shared.access.audit_trail import TrailQuery, read_trail
from functions.shared.access.people import SYSTEM, move_person
from functions.shared.access.roles import Role, change_role
from functions.shared.bookkeeping import intervening
from functions.shared.domain.errors import Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from tests.support.api_events import Answer
from tests.support.officers import WHY, Hire, Person
from tests.support.postgres import ShardsUnderTest

_GRANT = {"action": "GRANT_ROLE", "role": "support", **WHY}
IN_TIME: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)


_KEY = "SELECT wrapped_key FROM identity.person WHERE user_id = :u::bigint"


def codes(*answers: Answer) -> list[object]:
    return [answer.body.get("code", answer.status) for answer in answers]


def test_a_frozen_user_is_out_at_once_and_back_by_two_of_support(hire: Hire) -> None:
    one, other, user = hire(Role.SUPPORT), hire(Role.SUPPORT), hire()
    frozen = one.ask("POST", f"{user.path}/freeze", WHY)
    assert (frozen.status, frozen.body["applied"]) == (200, True)
    assert user.setting().state == "HALTED"
    assert not user.is_signed_in()
    assert "is FROZEN" in one.ask("POST", f"{user.path}/freeze", WHY).body["detail"]

    asked = one.ask("POST", f"{user.path}/unfreeze", WHY)
    assert asked.body["state"] == "OPEN"
    assert codes(one.ask("POST", f"{user.path}/unfreeze", WHY)) == ["REQUEST_OPEN"]
    assert codes(one.approves(asked)) == ["OWN_REQUEST"]
    assert user.setting().state == "HALTED"
    approved = other.approves(asked)
    assert (approved.status, approved.body["state"]) == (200, "APPROVED")
    assert user.setting().state == "ACTIVE"
    assert codes(other.approves(asked)) == ["REQUEST_DECIDED"]
    assert user.told() == [
        ("ACCOUNT_FROZEN", one.user_id, "203.0.113.7"),
        ("REQUEST_ASKED", one.user_id, "203.0.113.7"),
        ("ACCOUNT_UNFROZEN", other.user_id, "203.0.113.7"),
        ("REQUEST_APPROVED", other.user_id, "203.0.113.7"),
    ]


def test_the_stricter_of_a_freeze_and_a_halt_counts(hire: Hire) -> None:
    support, second = hire(Role.SUPPORT), hire(Role.SUPPORT)
    risk, other = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER)
    user = hire()
    halt = {"user_id": str(user.user_id), "state": "REDUCING", **WHY}
    assert risk.ask("POST", "/v1/admin/halts", halt).status == 200
    assert user.setting().state == "REDUCING"
    assert user.is_signed_in()
    support.ask("POST", f"{user.path}/freeze", WHY)
    lift = risk.ask("DELETE", "/v1/admin/halts", {"user_id": str(user.user_id), **WHY})
    assert other.approves(lift).status == 200
    assert user.setting().state == "HALTED"
    assert risk.ask("POST", "/v1/admin/halts", halt).status == 200
    assert second.approves(support.ask("POST", f"{user.path}/unfreeze", WHY)).status == 200
    assert user.setting().state == "REDUCING"


def test_limits_fall_at_once_and_rise_by_two(hire: Hire) -> None:
    risk, other, user = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER), hire()
    low = {"order_value": "1000.00", "per_second": 2, **WHY}
    assert risk.ask("PUT", f"{user.path}/limits", low).status == 200
    assert user.setting().limits == intervening.AccountLimits(1000_00, None, 2)
    assert codes(risk.ask("PUT", f"{user.path}/limits", low)) == ["NOTHING_TO_DO"]
    # One lower and one gone is a rise.
    raised = risk.ask("PUT", f"{user.path}/limits", {"order_value": "500", **WHY})
    assert (raised.status, raised.body["action"]) == (202, "RAISE_LIMITS")
    assert raised.body["detail"]["limits"]["order_value"] == "500.00"
    assert user.setting().limits.per_second == 2
    assert other.approves(raised).body["applied"] is True
    assert user.setting().limits == intervening.AccountLimits(500_00)
    seen = hire(Role.SUPPORT).ask("GET", user.path).body
    assert seen["account"]["limits"]["order_value"] == "500.00"
    assert (seen["pending"], seen["sessions"], seen["username"][2:]) == (False, 1, "***")


def test_a_halt_is_told_to_every_shard_and_lifted_by_two(stores: Stores, hire: Hire) -> None:
    risk, other = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER)
    halted = risk.ask("POST", "/v1/admin/halts", {"symbol": "RELIANCE", "state": "HALTED", **WHY})
    assert halted.body["applied"] is True
    entry = int(halted.body["audit_id"])
    for database in stores.shards.databases:
        assert intervening.halts_known(database)["RELIANCE"] == entry
    items = risk.ask("GET", "/v1/admin/halts").body["items"]
    [item] = [each for each in items if each["symbol"] == "RELIANCE"]
    assert (item["state"], item["audit_id"]) == ("HALTED", str(entry))
    assert (item["by"], item["why"]) == (str(risk.user_id), WHY["why"])
    unknown = {"symbol": "NOSUCH", "state": "HALTED", **WHY}
    assert codes(risk.ask("POST", "/v1/admin/halts", unknown)) == ["UNKNOWN_SYMBOL"]
    lift = risk.ask("DELETE", "/v1/admin/halts", {"symbol": "RELIANCE", **WHY})
    rejected = other.ask("POST", f"/v1/admin/requests/{lift.body['request_id']}/reject", WHY)
    assert rejected.body["state"] == "REJECTED"
    assert codes(other.approves(lift)) == ["REQUEST_DECIDED"]
    again = risk.ask("DELETE", "/v1/admin/halts", {"symbol": "RELIANCE", **WHY})
    assert other.approves(again).body["applied"] is True
    assert risk.ask("GET", "/v1/admin/halts").body["items"] == []


def test_a_role_is_granted_by_two_and_ends_the_sessions(hire: Hire, owner: Shards) -> None:
    risk, other, user = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER), hire()
    grant = {"action": "GRANT_ROLE", "user_id": str(user.user_id), "role": "auditor", **WHY}
    asked = risk.ask("POST", "/v1/admin/requests", grant)
    assert other.approves(asked).status == 200
    assert not user.is_signed_in()
    assert hire(Role.SUPPORT).ask("GET", user.path).body["roles"] == ["user", "auditor"]
    # Who asked and then lost the role has asked for nothing.
    stale = risk.ask("POST", "/v1/admin/requests", {**grant, "role": "support"})
    entry = change_role(owner, risk.user_id, Role.RISK_OFFICER, "left", grant=False)
    assert carry_out.carry_out(risk.stores, entry)
    assert codes(other.approves(stale)) == ["ASKER_LEFT"]


def test_an_officer_finds_a_user_by_the_whole_name_and_that_is_noted(hire: Hire) -> None:
    support, user = hire(Role.SUPPORT), hire()
    shards, named = user.stores.shards, "/v1/admin/users?username="
    name = read_profile(shards, user.user_id).username
    found = support.ask("GET", f"{named}{name.upper()}%20")
    assert found.body["user_id"] == str(user.user_id)
    assert codes(support.ask("GET", named + name[:-1])) == ["NOT_FOUND"]
    noted = read_trail(shards, TrailQuery(2, actor=support.user_id, action="USER_READ"))
    assert [each.subject for each in noted] == [None, user.user_id]


_TAKES: tuple[tuple[Role, str, str, object], ...] = (
    (Role.AUDITOR, "GET", "/v1/admin/users?username=asha", None),
    (Role.AUDITOR, "GET", "/v1/admin/users/{}", None),
    (Role.AUDITOR, "GET", "/v1/admin/users/{}/orders", None),
    (Role.RISK_OFFICER, "POST", "/v1/admin/users/{}/freeze", WHY),
    (Role.RISK_OFFICER, "POST", "/v1/admin/users/{}/unfreeze", WHY),
    (Role.SUPPORT, "PUT", "/v1/admin/users/{}/limits", WHY),
    (Role.SUPPORT, "POST", "/v1/admin/halts", {"market": True, "state": "HALTED", **WHY}),
    (Role.AUDITOR, "DELETE", "/v1/admin/halts", {"market": True, **WHY}),
    (Role.SUPPORT, "POST", "/v1/admin/requests", _GRANT),
    (Role.SUPPORT, "GET", "/v1/admin/audit", None),
    (Role.RISK_OFFICER, "GET", "/v1/admin/audit", None),
)


def test_each_thing_takes_its_role_by_the_token_and_by_the_database(hire: Hire) -> None:
    user, other = hire(), hire()
    staff = {role: hire(role) for role in Role}
    claims = Person(user.stores, user.user_id, ("user", *Role))
    for role, method, path, body in _TAKES:
        place = path.format(other.user_id)
        asked = body if body is not _GRANT else {**_GRANT, "user_id": str(other.user_id)}
        answers = [each.ask(method, place, asked) for each in (staff[role], user, claims)]
        assert codes(*answers) == ["ROLE_MISSING", "SCOPE_MISSING", "ROLE_MISSING"], path
    for path in ("/v1/admin/halts", "/v1/admin/requests"):  # every officer's to read
        assert {each.ask("GET", path).status for each in staff.values()} == {200}
        assert codes(user.ask("GET", path), claims.ask("GET", path)) == [
            "SCOPE_MISSING", "ROLE_MISSING",
        ]  # fmt: skip
    for user_id, request in ((1, 10**9), (other.user_id, 1)):  # learns of neither
        answers = [
            claims.ask("POST", f"/v1/admin/users/{user_id}/freeze", WHY),
            claims.ask("POST", f"/v1/admin/requests/{request}/approve", WHY),
        ]
        assert codes(*answers) == ["ROLE_MISSING"] * 2


def test_a_closed_account_is_erased_by_two_of_support(hire: Hire, owner: Shards) -> None:
    one, other, user = hire(Role.SUPPORT), hire(Role.SUPPORT), hire()
    erase = {"action": "ERASE", "user_id": str(user.user_id), **WHY}
    assert codes(one.ask("POST", "/v1/admin/requests", erase)) == ["STATE_MOVED"]
    shards, valkey = user.stores.shards, user.stores.valkey
    move_person(owner, valkey, user.user_id, ["ACTIVE"], "CLOSED", SYSTEM, "left")
    asked = one.ask("POST", "/v1/admin/requests", erase)
    assert shards.control.run(_KEY, u=user.user_id) != [[None]]
    assert other.approves(asked).body["applied"] is True
    assert shards.control.run(_KEY, u=user.user_id) == [[None]]
    assert [action for action, *_ in user.told()][-2:] == ["PERSON_ERASED", "REQUEST_APPROVED"]


def test_nobody_acts_on_their_own_account(hire: Hire) -> None:
    both = hire(Role.SUPPORT, Role.RISK_OFFICER)
    me = str(both.user_id)
    grant = {"action": "GRANT_ROLE", "user_id": me, "role": "auditor", **WHY}
    answers = [
        both.ask("POST", f"{both.path}/freeze", WHY),
        both.ask("POST", f"{both.path}/unfreeze", WHY),
        both.ask("PUT", f"{both.path}/limits", {"per_day": 1, **WHY}),
        both.ask("POST", "/v1/admin/halts", {"user_id": me, "state": "HALTED", **WHY}),
        both.ask("POST", "/v1/admin/requests", grant),
    ]
    assert codes(*answers) == ["OWN_ACCOUNT"] * 5
    # Nor does an officer agree to what another asked for them.
    other = hire(Role.RISK_OFFICER)
    asked = other.ask("POST", "/v1/admin/requests", grant)
    rejects = both.ask("POST", f"/v1/admin/requests/{asked.body['request_id']}/reject", WHY)
    assert codes(both.approves(asked), rejects) == ["OWN_ACCOUNT"] * 2


def test_a_request_that_nobody_decided_in_a_day_is_over(
    hire: Hire, module_databases: ShardsUnderTest
) -> None:
    one, other, user = hire(Role.SUPPORT), hire(Role.SUPPORT), hire()
    one.ask("POST", f"{user.path}/freeze", WHY)
    asked = one.ask("POST", f"{user.path}/unfreeze", WHY)
    owner = module_databases.superuser(0)
    owner.run("UPDATE identity.request SET expires_at = now() WHERE state = 'OPEN'")
    owner.close()
    assert codes(other.approves(asked)) == ["REQUEST_EXPIRED"]
    listed = other.ask("GET", "/v1/admin/requests?state=EXPIRED&limit=1").body["items"]
    assert [each["request_id"] for each in listed] == [asked.body["request_id"]]
    assert other.approves(one.ask("POST", f"{user.path}/unfreeze", WHY)).status == 200


def test_the_trail_is_read_by_auditors_and_says_so(hire: Hire) -> None:
    support, auditor, user = hire(Role.SUPPORT), hire(Role.AUDITOR), hire()
    support.ask("GET", f"{user.path}/orders")
    support.ask("POST", f"{user.path}/freeze", WHY)
    page = auditor.ask("GET", f"/v1/admin/audit?subject={user.user_id}&limit=1").body
    [entry] = page["items"]
    assert (entry["action"], entry["actor"]) == ("ACCOUNT_FROZEN", str(support.user_id))
    assert (entry["role"], entry["why"], entry["network"]) == (
        "support", WHY["why"], "203.0.113.7",
    )  # fmt: skip
    path = f"/v1/admin/audit?subject={user.user_id}&cursor={page['next']}"
    older = auditor.ask("GET", path).body["items"]
    assert [each["action"] for each in older] == ["USER_READ", "LOGIN_OK"]
    mine = auditor.ask("GET", f"/v1/admin/audit?actor={auditor.user_id}&action=TRAIL_READ").body
    assert [each["detail"] for each in mine["items"]][-1] == {
        "subject": str(user.user_id), "limit": "1",
    }  # fmt: skip


_KILLED = """
import os, signal, sys
from functions.audit import carry_out, decide
from functions.shared.access import interventions
from functions.shared.access.roles import Officer
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from functions.shared.settings import StoreSettings

stores = Stores(StoreSettings.from_environment())
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
setattr(carry_out if sys.argv[3] == "intervene" else interventions, sys.argv[3], die)
by = Officer(int(sys.argv[1]), "support", "192.0.2.1")
decide.done(stores, interventions.freeze(stores.shards, int(sys.argv[2]), by, "killed"))
"""


@pytest.mark.parametrize("dies_at", ["intervene", "sessions_ended", "finish"])
def test_what_a_kill_cut_short_is_done_by_the_schedule_once(
    stores: Stores, hire: Hire, module_databases: ShardsUnderTest, dies_at: str
) -> None:
    support, user = hire(Role.SUPPORT), hire()
    environment = {
        **os.environ,
        "OUTCRY_POSTGRES_URLS": ",".join(stores.settings.postgres_urls),
        "OUTCRY_VALKEY_URL": stores.settings.valkey_url,
        "OUTCRY_SECRETS_URL": stores.settings.secrets_url,
        "OUTCRY_CLOCK": "real",
    }
    died = subprocess.run(
        [sys.executable, "-c", _KILLED, str(support.user_id), str(user.user_id), dies_at],
        env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert [action for action, *_ in user.told()] == ["ACCOUNT_FROZEN"]
    assert support.ask("GET", user.path).body["pending"] is True
    assert user.setting().state == ("ACTIVE" if dies_at == "intervene" else "HALTED")
    assert carry_out.lambda_handler({}, IN_TIME)["accounts"] == 1
    assert user.setting().state == "HALTED"
    assert not user.is_signed_in()
    assert carry_out.lambda_handler({}, IN_TIME)["accounts"] == 0
    owner = module_databases.superuser(stores.shards.number_of_user(user.user_id))
    [[events]] = owner.run(
        "SELECT count(*) FROM ledger.ledger_event WHERE user_id = :u"
        " AND kind = 'ACCOUNT_STATE_SET'",
        u=user.user_id,
    )
    owner.close()
    assert events == 1


def test_a_halt_that_a_shard_did_not_hear_is_told_by_the_schedule(
    stores: Stores, hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    risk, other = hire(Role.RISK_OFFICER), hire(Role.RISK_OFFICER)

    def away(*_: object) -> None:
        raise Retryable("away")

    monkeypatch.setattr(carry_out, "set_halt", away)
    halted = risk.ask("POST", "/v1/admin/halts", {"market": True, "state": "HALTED", **WHY})
    assert (halted.status, halted.body["applied"]) == (200, False)
    monkeypatch.setattr(carry_out, "set_halt", intervening.set_halt)
    assert carry_out.lambda_handler({}, IN_TIME)["halts"] == len(stores.shards.databases)
    for database in stores.shards.databases:
        assert intervening.halts_known(database)[""] == int(halted.body["audit_id"])
    lift = risk.ask("DELETE", "/v1/admin/halts", {"market": True, **WHY})
    assert other.approves(lift).body["applied"] is True
    for target in ({}, {"market": True, "symbol": "RELIANCE"}):
        body = {**target, "state": "HALTED", **WHY}
        assert codes(risk.ask("POST", "/v1/admin/halts", body)) == ["INVALID_REQUEST"]


def test_the_operator_ends_the_sessions_of_whom_he_gives_a_role(hire: Hire, owner: Shards) -> None:
    user = hire()
    entry = change_role(owner, user.user_id, Role.SUPPORT, "the first", grant=True)
    assert carry_out.carry_out(user.stores, entry)
    assert not user.is_signed_in()
    assert user.told() == [("ROLE_GRANTED", None, None)]
