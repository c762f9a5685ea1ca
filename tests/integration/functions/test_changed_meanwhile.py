"""What changes while a login or a change is under way: it is judged by what counts when it is done,
under the locks of who it is about; and whom another factor makes a stranger again.

ASVS 5.0: 6.3.8, 7.4.3, 15.4.2.
"""

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher

from functions.auth import log_in as log_in_module
from functions.auth.prove import factor_holds
from functions.shared.access.accounts import find_login
from functions.shared.access.keys import signing_key
from functions.shared.access.mailed_tokens import RESET_LIFETIME, new_token, token_digest
from functions.shared.access.passwords import hash_password, needs_rehash, password_matches
from functions.shared.access.sessions import Sessions
from functions.shared.access.tokens import read_token
from functions.shared.clock import wall_now
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from tests.support.logins import AMERICA, INDIA, JAPAN, PASSWORD, Customer, Mailbox, send

NEW = "the owner's new one"


def set_password(
    stores: Stores, customer: Customer, session_id: str | None = None, old: str | None = None
) -> bool:
    """As the route does once it knows the caller; `old`: the hash that it compared."""
    if old is None:
        login = find_login(stores.shards, customer.username)
        assert login is not None
        old = login.password_hash
    [[changed]] = stores.shards.control.run(
        "SELECT changed FROM identity.change_password(:user::bigint, :old::text, :new::text,"
        " :session::uuid, clock_timestamp(), :network::text)",
        user=customer.user_id,
        old=old,
        new=hash_password(NEW),
        session=session_id,
        network=INDIA,
    )
    return bool(changed)


def meanwhile(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """The change happens once password and code were found right, before the session is opened."""

    def slow(*given: Any) -> bool:
        held = factor_holds(*given)
        change()
        return held

    monkeypatch.setattr(log_in_module, "factor_holds", slow)


def test_a_login_that_began_with_the_old_password_opens_nothing(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: set_password(stores, customer))
    answer = customer.log_in()
    assert (answer.status, answer.body["code"]) == (401, "INVALID_CREDENTIALS")
    assert not Sessions(stores.shards.control, stores.valkey).live(customer.user_id, wall_now())


def test_a_login_by_an_authenticator_that_was_replaced_is_neither_opened_nor_held(
    stores: Stores, owner: Shards, customer: Customer, monkeypatch: pytest.MonkeyPatch,
    mailbox: Mailbox,
) -> None:  # fmt: skip
    assert customer.log_in(INDIA).status == 200
    customer.clock.next_step()
    meanwhile(
        monkeypatch,
        lambda: owner.control.run(
            "UPDATE identity.login SET totp_secret = 'another' WHERE user_id = :user::bigint",
            user=customer.user_id,
        ),
    )
    assert customer.log_in(AMERICA).body["code"] == "INVALID_CREDENTIALS"
    assert mailbox.sent == []


def test_a_token_has_the_roles_of_the_moment_its_session_opened(
    stores: Stores, owner: Shards, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(roles: list[str]) -> None:
        owner.control.run(
            "UPDATE identity.login SET roles = :roles::text[] WHERE user_id = :user::bigint",
            roles=roles,
            user=customer.user_id,
        )

    give(["user", "auditor"])
    meanwhile(monkeypatch, lambda: give(["user"]))
    token = customer.log_in().body["access_token"]
    principal = read_token(token, signing_key(stores.secrets), wall_now())
    assert principal.roles == ("user",)
    assert "admin" not in principal.scopes


def test_a_password_at_an_old_cost_is_hashed_anew_and_still_opens(
    stores: Stores, owner: Shards, customer: Customer
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    owner.control.run(
        "UPDATE identity.login SET password_hash = :old::text WHERE user_id = :user::bigint",
        old=old,
        user=customer.user_id,
    )
    assert customer.log_in().status == 200
    login = find_login(stores.shards, customer.username)
    assert login is not None
    assert login.password_hash != old
    assert not needs_rehash(login.password_hash)
    assert password_matches(login.password_hash, PASSWORD)


def test_another_password_makes_every_device_a_strangers_but_the_one_that_set_it(
    stores: Stores, customer: Customer
) -> None:
    mine = customer.log_in().body
    customer.clock.next_step()
    thief = customer.log_in().body
    assert set_password(stores, customer, mine["session_id"])
    customer.clock.next_step()
    theirs = customer.log_in(JAPAN, thief["device_token"], password=NEW)
    assert (theirs.status, theirs.body["code"]) == (403, "LOGIN_HELD")
    customer.clock.next_step()
    assert customer.log_in(JAPAN, mine["device_token"], password=NEW).status == 200


def test_the_device_of_a_session_that_was_ended_is_a_strangers_and_ones_own_is_not(
    customer: Customer,
) -> None:
    mine = customer.log_in().body
    customer.clock.next_step()
    older = customer.log_in(device=mine["device_token"]).body  # of the same device
    customer.clock.next_step()
    thief = customer.log_in().body
    for ended in (older, thief):
        path = f"/v1/auth/sessions/{ended['session_id']}"
        assert send("DELETE", path, token=mine["access_token"]).status == 204
    customer.clock.next_step()
    assert customer.log_in(JAPAN, thief["device_token"]).body["code"] == "LOGIN_HELD"
    assert send("POST", "/v1/auth/logout", token=mine["access_token"]).status == 204
    customer.clock.next_step()
    assert customer.log_in(JAPAN, mine["device_token"]).status == 200  # logging out forgets nothing


def test_a_closed_account_takes_no_password(
    stores: Stores, owner: Shards, customer: Customer
) -> None:
    before = find_login(stores.shards, customer.username)
    token = new_token()
    owner.control.run(
        "INSERT INTO identity.mailed_token (digest, user_id, purpose, expires_at)"
        " VALUES (:token::bytea, :user::bigint, 'RESET', :ends::timestamptz)",
        token=token_digest(token),
        user=customer.user_id,
        ends=wall_now() + RESET_LIFETIME,
    )
    move = "UPDATE identity.person SET state = :state WHERE user_id = :user::bigint"
    owner.control.run(move, state="CLOSED", user=customer.user_id)
    assert before is not None
    assert not set_password(stores, customer, old=before.password_hash)
    [[done]] = stores.shards.control.run(
        "SELECT done FROM identity.reset_password(:token::bytea, :new::text, clock_timestamp(),"
        " :network::text)",
        token=token_digest(token),
        new=hash_password(NEW),
        network=INDIA,
    )
    assert not done
    owner.control.run(move, state="ACTIVE", user=customer.user_id)
    assert find_login(stores.shards, customer.username) == before


def test_a_device_token_tells_nobody_whether_a_name_is_known(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    database = stores.shards.control
    run = database.run

    def counted(sql: str, **given: object) -> object:
        asked.append(sql)
        return run(sql, **given)

    monkeypatch.setattr(database, "run", counted)
    nobody = Customer(0, "nobody.at.all", customer.secret, customer.clock)
    told = []
    for who in (customer, nobody):
        for device in (None, "a token they made up"):
            asked.clear()
            assert who.log_in(device=device, password="wrong wrong").status == 401
            told.append(list(asked))
    assert told[0] == told[1] == told[2] == told[3]
