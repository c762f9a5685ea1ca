"""What a function that went astray can do by itself to people and halts: less than two officers."""

import uuid
from typing import Any

import pytest
from argon2 import PasswordHasher

from functions.shared.access import passwords
from functions.shared.access.accounts import create_user, find_login, replace_password_hash
from functions.shared.access.roles import Role, change_role
from functions.shared.domain.errors import InvariantViolated
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from tests.support.logins import Customer, trail

_FREEZE = "SELECT outcome FROM identity.freeze_person(:user::bigint, :actor::bigint, 'x', NULL)"
_HALT = "SELECT outcome FROM identity.set_halt('', NULL, :state, :actor::bigint, 'x', NULL)"
_LIMIT = (
    "SELECT outcome FROM identity.set_limits(:user::bigint, :limits::jsonb, :actor::bigint, 'x',"
    " NULL)"
)
_ASK = (
    "SELECT outcome, request_id FROM identity.ask_request('GRANT_ROLE', :user::bigint,"
    " '{\"role\": \"support\"}', :actor::bigint, :role, 'x', NULL, '1 day')"
)
_DECIDE = (
    "SELECT outcome FROM identity.decide_request(:request::bigint, true, :actor::bigint, 'x', NULL)"
)


@pytest.fixture
def users(stores: Stores, cheap_hashes: None) -> list[int]:
    names = [f"u{uuid.uuid4().hex[:12]}" for _ in range(3)]
    return [
        create_user(
            stores.shards, stores.secrets, username=name, password="a long one",
            totp_secret="A" * 32,
        )
        for name in names
    ]  # fmt: skip


def test_one_officer_tightens_and_nobody_alone_loosens(
    stores: Stores, owner: Shards, users: list[int]
) -> None:
    user, support, risk = users
    change_role(owner, support, Role.SUPPORT, "hired", grant=True)
    change_role(owner, risk, Role.RISK_OFFICER, "hired", grant=True)

    def outcome(sql: str, **given: Any) -> object:
        return stores.shards.control.run(sql, **given)[0][0]

    for stranger in (None, user, risk):
        assert outcome(_FREEZE, user=support, actor=stranger) == "ROLE_MISSING"
    for stranger in (None, user, support):
        assert outcome(_HALT, state="HALTED", actor=stranger) == "ROLE_MISSING"
        low = outcome(_LIMIT, user=risk, limits="[1, null, null]", actor=stranger)
        assert low == "ROLE_MISSING"
    assert outcome(_FREEZE, user=user, actor=support) == "DONE"
    assert outcome(_HALT, state="HALTED", actor=risk) == "DONE"
    assert outcome(_HALT, state="ACTIVE", actor=risk) == "NEEDS_TWO"
    assert outcome(_LIMIT, user=user, limits="[1, null, null]", actor=risk) == "DONE"
    assert outcome(_LIMIT, user=user, limits=None, actor=risk) == "NEEDS_TWO"


def test_a_request_is_asked_and_decided_by_officers_of_its_role(
    stores: Stores, owner: Shards, users: list[int]
) -> None:
    user, one, other = users
    run = stores.shards.control.run
    # `user` is what everybody is, and support's two can't make a third.
    change_role(owner, one, Role.SUPPORT, "hired", grant=True)
    assert run(_ASK, user=user, actor=one, role="user") == [["ROLE_MISSING", None]]
    with pytest.raises(InvariantViolated, match="request_check"):
        run(_ASK, user=user, actor=one, role="support")
    change_role(owner, one, Role.RISK_OFFICER, "promoted", grant=True)
    [[outcome, request]] = run(_ASK, user=user, actor=one, role="risk_officer")
    assert outcome == "ASKED"
    refused = [run(_DECIDE, request=request, actor=actor)[0][0] for actor in (None, other, one)]
    assert refused == ["ROLE_MISSING", "ROLE_MISSING", "OWN_REQUEST"]
    change_role(owner, other, Role.RISK_OFFICER, "hired", grant=True)
    assert run(_DECIDE, request=request, actor=other) == [["DONE"]]


def test_a_hash_of_another_cost_is_told_and_one_of_the_same_is_refused(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = find_login(stores.shards, customer.username)
    assert login is not None
    with pytest.raises(InvariantViolated, match="no rehash"):
        replace_password_hash(stores.shards, login, "what a thief chose")
    assert find_login(stores.shards, customer.username) == login
    assert trail(stores, customer) == []
    dearer = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", dearer)
    for _ in range(2):  # the second finds another hash than it read
        replace_password_hash(stores.shards, login, "the same one")
    assert trail(stores, customer) == [("PASSWORD_REHASHED", None)]
