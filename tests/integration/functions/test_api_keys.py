"""API keys, against a real PostgreSQL and Valkey: who gets a session by one, from where, and how it
ends (SEBI, 4 February 2025; ASVS 5.0, 7.4.1, 8.2.1, 10.4)."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pyotp
import pytest

from functions.auth import handler as auth
from functions.auth import key_routes, open_program_session
from functions.auth.prove import factor_holds, require_factor
from functions.market import handler as market
from functions.shared.access.accounts import create_user
from functions.shared.access.api_keys import GENERIC_ALGO, parse_network
from functions.shared.access.keys import signing_key
from functions.shared.access.people import SYSTEM, move_person
from functions.shared.access.principal import SCOPES
from functions.shared.access.throttle import Limit
from functions.shared.access.tokens import issue_token, read_token
from functions.shared.bookkeeping.accounts import Registration, open_account, register_algo
from functions.shared.clock import wall_now
from functions.shared.domain.accounts import AccountClass
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from tests.support.api_events import Answer, api_event, call
from tests.support.sessions import open_session

HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"


@dataclass
class Clock:
    """A little late, so that what is made at a later step is not of the future to who checks it."""

    now: datetime = field(default_factory=lambda: wall_now() - timedelta(minutes=5))
    looks: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        return self.now + timedelta(microseconds=next(self.looks))


@dataclass
class User:
    """A person with a session of their own, who makes keys."""

    user_id: int
    secret: str
    token: str
    clock: Clock

    def code(self) -> str:
        """The next step's: each counts once."""
        self.clock.now += timedelta(seconds=30)
        return pyotp.TOTP(self.secret).at(self.clock.now)

    def make(self, **asked: object) -> Answer:
        body = {"name": "p", "scopes": ["trade"], "addresses": [HOME], **asked}
        return send("POST", "/v1/auth/keys", {"totp": self.code(), **body}, self.token)

    def session(self, key: dict[str, Any], address: str = HOME, **other: object) -> Answer:
        body = {
            "key_id": key["key_id"], "key_secret": key["key_secret"], "totp": self.code(), **other
        }  # fmt: skip
        return send("POST", "/v1/auth/token", body, address=address)


def send(
    method: str, path: str, body: object = None, token: str | None = None, address: str = HOME
) -> Answer:
    event = api_event(method, path, body, token=token, address=address)
    return call(auth.lambda_handler, event)


def status_with(token: str, address: str = HOME) -> int:
    event = api_event("GET", "/v1/market/status", token=token, address=address)
    return call(market.lambda_handler, event).status


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["code"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (auth, key_routes):
        monkeypatch.setattr(module, "wall_now", clock)
    # What is asked for within a moment of a test takes minutes of its clock.
    free = Limit("free", 1_000, 1)
    monkeypatch.setattr(open_program_session, "FACTOR", free)
    monkeypatch.setattr("functions.auth.prove.FACTOR", free)
    return clock


def new_user(stores: Stores, clock: Clock) -> User:
    secret = pyotp.random_base32(32)
    user_id = create_user(
        stores.shards, stores.secrets, username=f"u{uuid.uuid4().hex[:12]}",
        password="correct horse", totp_secret=secret,
    )  # fmt: skip
    now = wall_now()
    session_id, _ = open_session(stores, user_id, now)
    token = issue_token(
        signing_key(stores.secrets), user_id=user_id, session_id=session_id, roles=("user",),
        mode="PAPER", region="IN", scopes=SCOPES - {"admin"}, kind="PERSON", now=now,
    )  # fmt: skip
    return User(user_id, secret, token, clock)


@pytest.fixture
def user(stores: Stores, clock: Clock) -> User:
    return new_user(stores, clock)


def actions(stores: Stores, user: User) -> list[str]:
    rows = stores.shards.control.run(
        "SELECT action FROM identity.audit WHERE subject = :user::bigint ORDER BY audit_id",
        user=user.user_id,
    )
    return [row[0] for row in rows]


def test_a_key_opens_a_session_with_its_owner_s_code_and_from_its_addresses_alone(
    stores: Stores, user: User
) -> None:
    made = user.make()
    assert made.status == 201
    key = made.body
    assert (key["scopes"], key["addresses"]) == (["trade"], ["203.0.113.7/32"])
    kept = str(stores.shards.control.run("SELECT * FROM identity.api_key"))
    assert key["key_secret"] not in kept
    listed = send("GET", "/v1/auth/keys", token=user.token).body["items"]
    assert listed == [{name: key[name] for name in key if name != "key_secret"}]

    wrong = [
        user.session(key, key_secret="x" * 43), user.session(key, key_id="key_0000000000000000"),
        user.session(key, totp="000000"), user.session(key, key_id="' OR 1=1 --"),
    ]  # fmt: skip
    assert [code_of(answer) for answer in wrong] == [(401, "INVALID_CREDENTIALS")] * 4
    assert code_of(user.session(key, ELSEWHERE)) == (403, "ADDRESS_NOT_ALLOWED")

    opened = user.session(key)
    assert opened.status == 200
    token = opened.body["access_token"]
    principal = read_token(token, signing_key(stores.secrets), wall_now())
    assert principal.kind == "PROGRAM"
    assert principal.scopes == {"read", "trade", "cancel"}
    assert (principal.roles, principal.algo_id) == ((), GENERIC_ALGO)
    assert [status_with(token, HOME), status_with(token, ELSEWHERE)] == [200, 403]

    told = actions(stores, user)
    assert [told.count(each) for each in ("KEY_MADE", "KEY_USED")] == [1, 1]


def test_the_trail_has_a_key_s_networks_by_their_prefix(stores: Stores, user: User) -> None:
    networks = ["198.51.100.7", "198.51.100.0/24", "2001:db8:1:2:3:4:5:6", "2001:db8:5::/48"]
    made = user.make(addresses=networks)
    assert made.body["addresses"] == [
        "198.51.100.7/32", "198.51.100.0/24", "2001:db8:1:2:3:4:5:6/128", "2001:db8:5::/48",
    ]  # fmt: skip
    [[told]] = stores.shards.control.run(
        "SELECT detail -> 'networks' FROM identity.audit"
        " WHERE subject = :user::bigint AND action = 'KEY_MADE'",
        user=user.user_id,
    )
    assert sorted(told) == ["198.51.100.0/24", "2001:db8:1:2::/64", "2001:db8:5::/48"]


def test_a_program_has_no_say_over_its_owner_s_account(user: User) -> None:
    token = user.session(user.make().body).body["access_token"]
    for method, path in (
        ("GET", "/v1/auth/keys"), ("DELETE", "/v1/auth/keys/x"), ("DELETE", "/v1/auth/sessions/x")
    ):  # fmt: skip
        assert code_of(send(method, path, token=token)) == (403, "SCOPE_MISSING")
    body = {"name": "n", "scopes": ["read"], "totp": user.code()}
    assert code_of(send("POST", "/v1/auth/keys", body, token)) == (403, "SCOPE_MISSING")
    assert send("GET", "/v1/profile", token=token).status == 200


def test_a_program_s_tokens_are_renewed_from_its_addresses_alone(user: User) -> None:
    opened = user.session(user.make().body).body
    renewal = {"refresh_token": opened["refresh_token"]}
    refused = send("POST", "/v1/auth/refresh", renewal, address=ELSEWHERE)
    assert code_of(refused) == (403, "ADDRESS_NOT_ALLOWED")
    renewed = send("POST", "/v1/auth/refresh", renewal)  # the refusal used nothing up
    assert renewed.status == 200
    token = renewed.body["access_token"]
    assert [status_with(token), status_with(token, ELSEWHERE)] == [200, 403]


def test_a_key_that_is_deleted_ends_its_sessions_at_once_and_opens_no_more(
    stores: Stores, user: User, clock: Clock
) -> None:
    key, other = user.make().body, user.make().body
    token, kept = (user.session(each).body["access_token"] for each in (key, other))
    assert [status_with(token), status_with(kept)] == [200, 200]
    stranger, path = new_user(stores, clock), f"/v1/auth/keys/{key['key_id']}"
    assert code_of(send("DELETE", path, token=stranger.token)) == (404, "NOT_FOUND")
    assert [send("DELETE", path, token=user.token).status for _ in range(2)] == [204, 204]
    assert [status_with(token), status_with(kept)] == [401, 200]
    assert code_of(user.session(key)) == (401, "INVALID_CREDENTIALS")
    assert actions(stores, user).count("KEY_ENDED") == 1


def test_a_frozen_person_s_program_reads_and_cancels_alone(
    stores: Stores, owner: Shards, user: User
) -> None:
    key = user.make(scopes=["trade", "funds"]).body
    move_person(owner, stores.valkey, user.user_id, ["ACTIVE"], "FROZEN", SYSTEM, "why")
    token = user.session(key).body["access_token"]
    principal = read_token(token, signing_key(stores.secrets), wall_now())
    assert principal.scopes == {"read", "cancel"}


def test_who_is_frozen_while_they_ask_for_a_key_gets_none(
    stores: Stores, owner: Shards, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any) -> object:
        login = require_factor(*given)
        owner.control.run(
            "UPDATE identity.person SET state = 'FROZEN' WHERE user_id = :user::bigint",
            user=user.user_id,
        )
        return login

    monkeypatch.setattr(key_routes, "require_factor", slow)
    assert code_of(user.make()) == (403, "SCOPE_MISSING")
    assert "KEY_MADE" not in actions(stores, user)


def test_a_program_s_code_opens_nothing_once_another_authenticator_counts(
    stores: Stores, owner: Shards, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = user.make().body

    def slow(*given: Any) -> bool:
        held = factor_holds(*given)
        owner.control.run(
            "UPDATE identity.login SET totp_secret = 'another' WHERE user_id = :user::bigint",
            user=user.user_id,
        )
        return held

    monkeypatch.setattr(open_program_session, "factor_holds", slow)
    assert code_of(user.session(key)) == (401, "INVALID_CREDENTIALS")
    assert "KEY_USED" not in actions(stores, user)


def test_making_a_key_asks_for_a_code_and_for_the_addresses_of_one_that_trades(user: User) -> None:
    assert code_of(user.make(totp="000000")) == (403, "FACTOR_REFUSED")
    for wrong in (
        {"addresses": []},
        {"addresses": ["0.0.0.0/0"]},
        {"addresses": ["203.0.113.7/24"]},
        {"addresses": ["home"]},
        {"addresses": [f"203.0.113.{n}" for n in range(9)]},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["read", "read"]},
        {"name": ""},
        {"name": "n" * 41},
    ):
        assert code_of(user.make(**wrong)) == (400, "INVALID_REQUEST"), wrong
    assert user.make(scopes=["read"], addresses=[]).status == 201


def test_a_sixth_key_is_refused(user: User) -> None:
    answers = [user.make() for _ in range(6)]
    assert [answer.status for answer in answers] == [201] * 5 + [409]
    assert answers[5].body["code"] == "TOO_MANY_KEYS"
    assert send("DELETE", f"/v1/auth/keys/{answers[0].body['key_id']}", token=user.token).status
    assert user.make().status == 201


def test_a_strategy_counts_where_it_is_registered_for_its_user(stores: Stores, user: User) -> None:
    assert code_of(user.make(algo_id="NSE-7")) == (409, "ALGO_NOT_REGISTERED")
    open_account(stores.shards, user.user_id, wall_now(), AccountClass.REGISTERED_ALGO)
    terms = Registration(date(2023, 1, 1), date(2099, 1, 1), "NSE-7", 20, 400, 5_000)
    register_algo(stores.shards, user.user_id, terms)
    made = user.make(algo_id="NSE-7")
    assert (made.status, made.body["algo_id"]) == (201, "NSE-7")
    token = user.session(made.body).body["access_token"]
    assert read_token(token, signing_key(stores.secrets), wall_now()).algo_id == "NSE-7"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.0/24 ", "203.0.113.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("203.0.0.0/16", None),
        ("2001:db8::/32", None),
        ("203.0.113.7/24", None),
        ("", None),
    ],
)
def test_a_network_is_one_address_or_a_small_block(text: str, network: str | None) -> None:
    if network is None:
        with pytest.raises(ValueError, match=r"."):
            parse_network(text)
    else:
        assert parse_network(text) == network
