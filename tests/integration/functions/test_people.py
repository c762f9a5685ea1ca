"""The life of a person's account: which moves there are, who is told, what ends with them."""

import itertools
import uuid

import pytest

from functions.shared.access.accounts import create_user
from functions.shared.access.people import Actor, Moved, activate_person, move_person
from functions.shared.access.principal import State
from functions.shared.access.sessions import Sessions
from functions.shared.clock import wall_now
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from tests.support.sessions import open_session

STATES: tuple[State, ...] = ("APPLIED", "VERIFIED", "ACTIVE", "FROZEN", "CLOSED")
MOVES: dict[tuple[str, str], str] = {
    ("APPLIED", "VERIFIED"): "ACCOUNT_VERIFIED",
    ("VERIFIED", "ACTIVE"): "ACCOUNT_ACTIVATED",
    ("ACTIVE", "FROZEN"): "ACCOUNT_FROZEN",
    ("FROZEN", "ACTIVE"): "ACCOUNT_UNFROZEN",
    **{(state, "CLOSED"): "ACCOUNT_CLOSED" for state in STATES[:-1]},
}
OFFICER = Actor(7, "support", "192.0.2.1")


@pytest.fixture
def user_id(stores: Stores) -> int:
    name = f"u{uuid.uuid4().hex[:12]}"
    return create_user(
        stores.shards, stores.secrets, username=name, password="a long one", totp_secret="A" * 32
    )


def test_an_account_moves_along_its_table_and_no_other_way(
    stores: Stores, owner: Shards, user_id: int
) -> None:
    shards = stores.shards
    for state, following in itertools.product(STATES, STATES):
        known = shards.control.run(
            "SELECT action FROM identity.person_move WHERE state = :s AND following = :f",
            s=state,
            f=following,
        )
        assert [action for (action,) in known] == (
            [MOVES[state, following]] if (state, following) in MOVES else []
        )
    walk: list[State] = ["FROZEN", "ACTIVE", "CLOSED"]
    for to in walk:
        assert move_person(owner, stores.valkey, user_id, STATES, to, OFFICER, "asked") == Moved(
            True, to
        )
    assert move_person(owner, stores.valkey, user_id, STATES, "ACTIVE", OFFICER, "again") == Moved(
        False, "CLOSED"
    )
    told = shards.control.run(
        "SELECT action, actor, actor_role, network, why FROM identity.audit"
        " WHERE subject = :u::bigint ORDER BY audit_id",
        u=user_id,
    )
    assert told == [
        [action, 7, "support", "192.0.2.1", "asked"]
        for action in ("ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN", "ACCOUNT_CLOSED")
    ]


def test_a_move_from_another_state_than_was_said_is_none(
    stores: Stores, owner: Shards, user_id: int
) -> None:
    moved = move_person(owner, stores.valkey, user_id, ["VERIFIED"], "CLOSED", OFFICER, "asked")
    assert moved == Moved(False, "ACTIVE")
    nobody = move_person(owner, stores.valkey, 1, STATES, "CLOSED", OFFICER, "asked")
    assert nobody == Moved(False, None)


def test_who_has_not_enrolled_is_not_activated(stores: Stores, owner: Shards, user_id: int) -> None:
    owner.control.run(
        "UPDATE identity.person SET state = 'VERIFIED' WHERE user_id = :u::bigint", u=user_id
    )
    assert activate_person(stores.shards, stores.valkey, user_id) == Moved(False, "VERIFIED")


def test_freezing_ends_each_session_at_once(stores: Stores, owner: Shards, user_id: int) -> None:
    now = wall_now()
    sessions = Sessions(stores.shards.control, stores.valkey)
    opened = [open_session(stores, user_id, now)[0] for _ in range(3)]
    assert sessions.alive(opened, now) == set(opened)
    move_person(owner, stores.valkey, user_id, ["ACTIVE"], "FROZEN", OFFICER, "asked")
    assert sessions.alive(opened, now) == set()


def test_all_sessions_but_the_one_that_asks_end(stores: Stores, user_id: int) -> None:
    now = wall_now()
    sessions = Sessions(stores.shards.control, stores.valkey)
    opened = [open_session(stores, user_id, now)[0] for _ in range(3)]
    sessions.end_others(user_id, opened[1], now)
    assert sessions.alive(opened, now) == {opened[1]}
