"""Signing in and out against a real PostgreSQL and Valkey."""

import itertools
import signal
import threading
import uuid
from dataclasses import dataclass
from datetime import timedelta

import pyotp
import pytest

from functions.auth import authorizer
from functions.auth import handler as auth
from functions.shared.access import guesses
from functions.shared.access.accounts import create_user, find_login, use_code_step
from functions.shared.access.keyring import Keyring
from functions.shared.access.keys import verifying_keys
from functions.shared.access.sessions import ENDED_CHANNEL, Sessions
from functions.shared.access.tokens import LIFETIME
from functions.shared.access.verifier import Verifier
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Conflict, InvariantViolated, Refused
from functions.shared.runtime.codes import CODES
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Row, Shards
from functions.shared.stores.valkey import open_valkey
from tests.support.api_events import Answer, api_event, call
from tests.support.eventually import WAIT_SECONDS
from tests.support.sessions import LIFE, open_session
from tests.support.valkey import ValkeyUnderTest

PASSWORD = "correct horse battery"


@dataclass
class User:
    user_id: int
    username: str
    secret: str

    def code(self, steps_ago: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(auth.wall_now() - timedelta(seconds=30 * steps_ago))


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No code grows old, and nobody has waited long enough, between a test's two requests."""
    now, calls = wall_now(), itertools.count()
    monkeypatch.setattr(auth, "wall_now", lambda: now + timedelta(microseconds=next(calls)))
    monkeypatch.setattr(guesses, "_FIRST_WAIT_MS", 600_000)


@pytest.fixture
def user(stores: Stores) -> User:
    return make_user(stores)


def make_user(stores: Stores) -> User:
    name, secret = f"u{uuid.uuid4().hex[:12]}", pyotp.random_base32(32)
    user_id = create_user(
        stores.shards, stores.secrets, username=name, password=PASSWORD, totp_secret=secret
    )
    return User(user_id, name, secret)


def send(method: str, path: str, body: object = None, token: str | None = None) -> Answer:
    return call(auth.lambda_handler, api_event(method, path, body, token=token))


def log_in(user: User, *, password: str = PASSWORD, code: str | None = None) -> Answer:
    body = {"username": user.username, "password": password, "totp": code or user.code()}
    return send("POST", "/v1/auth/login", body)


def test_a_login_opens_a_session_that_reads_the_profile(user: User) -> None:
    answer = log_in(user)
    assert answer.status == 200
    assert set(answer.body) == {
        "token_type", "access_token", "expires_in", "refresh_token", "session_id",
        "session_expires_at", "device_token",
    }  # fmt: skip
    assert answer.body["expires_in"] == 600
    profile = send("GET", "/v1/profile", token=answer.body["access_token"])
    assert profile.body == {
        "user_id": str(user.user_id),
        "username": user.username,
        "roles": ["user"],
        "mode": "PAPER",
        "region": "IN",
        "kill_switch": False,
    }


def test_a_user_name_is_taken_once_in_any_case(stores: Stores, user: User) -> None:
    with pytest.raises(Conflict):
        create_user(
            stores.shards,
            stores.secrets,
            username=user.username.upper(),
            password=PASSWORD,
            totp_secret=user.secret,
        )


def test_every_wrong_part_of_a_login_gets_the_same_answer(user: User) -> None:
    nobody = User(0, "nobody-at-all", user.secret)
    answers = [
        log_in(user, password="wrong wrong"),
        log_in(user, code="000000" if user.code() != "000000" else "000001"),
        log_in(nobody),
    ]
    bodies = [{k: v for k, v in a.body.items() if k != "request_id"} for a in answers]
    assert {a.status for a in answers} == {401}
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "INVALID_CREDENTIALS"


def test_a_code_counts_once_and_the_one_before_it_no_more(user: User) -> None:
    code, before = user.code(), user.code(1)
    assert log_in(user, code=code).status == 200
    assert log_in(user, code=code).status == 401
    assert log_in(user, code=before).status == 401


def test_the_code_before_counts_and_the_next_one_does_not(user: User) -> None:
    assert log_in(user, code=user.code(-1)).status == 401
    assert log_in(user, code=user.code(1)).status == 200


def test_of_many_uses_of_one_code_one_counts(stores: Stores, user: User) -> None:
    wins: list[bool] = []

    def attempt() -> None:
        shards = Shards(stores.settings.postgres_urls, "test")
        wins.append(use_code_step(shards, user.user_id, 1_000_000))
        shards.close()

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wins.count(True) == 1
    assert len(wins) == 8


def test_a_refresh_token_gives_the_next_pair(user: User) -> None:
    first = log_in(user).body
    second = send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert second.status == 200
    assert second.body["session_id"] == first["session_id"]
    assert second.body["refresh_token"] != first["refresh_token"]
    assert send("GET", "/v1/profile", token=second.body["access_token"]).status == 200


def test_a_refresh_token_used_twice_ends_the_whole_session(user: User) -> None:
    first = log_in(user).body
    second = send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]}).body
    again = send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert (again.status, again.body["code"]) == (401, "REFRESH_REUSED")
    ended = send("GET", "/v1/profile", token=second["access_token"])
    assert (ended.status, ended.body["code"]) == (401, "SESSION_ENDED")
    last = send("POST", "/v1/auth/refresh", {"refresh_token": second["refresh_token"]})
    assert (last.status, last.body["code"]) == (401, "REFRESH_INVALID")


def test_of_two_concurrent_refreshes_one_rotates_and_the_other_ends_the_session(
    stores: Stores, user: User
) -> None:
    token = log_in(user).body["refresh_token"]
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def attempt() -> None:
        shards = Shards(stores.settings.postgres_urls, "test")
        sessions = Sessions(shards.control, open_valkey(stores.settings.valkey_url))
        start.wait()
        try:
            sessions.refresh(token, wall_now(), wall_now(), "203.0.113.7")
            outcomes.append("ROTATED")
        except Refused as refusal:
            outcomes.append(refusal.code)
        shards.close()

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["REFRESH_REUSED", "ROTATED"]


def test_a_rotation_whose_answer_was_lost_is_answered_again(
    stores: Stores, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = log_in(user).body["refresh_token"]
    database = stores.shards.control
    run = database.run

    def run_twice(sql: str, **parameters: object) -> list[Row]:
        run(sql, **parameters)
        return run(sql, **parameters)

    monkeypatch.setattr(database, "run", run_twice)
    sessions = Sessions(database, stores.valkey)
    now = wall_now()
    session, following = sessions.refresh(token, now, now, "203.0.113.7")
    assert sessions.is_alive(session.session_id, wall_now())
    assert sessions.refresh(following, now, now, "203.0.113.7")[0] == session
    with pytest.raises(Refused, match="used before"):
        sessions.refresh(token, now, now, "203.0.113.7")


def test_an_unknown_refresh_token_is_refused(user: User) -> None:
    answer = send("POST", "/v1/auth/refresh", {"refresh_token": "x" * 43})
    assert (answer.status, answer.body["code"]) == (401, "REFRESH_INVALID")


def test_logging_out_ends_the_token_at_once_and_tells_the_stream(
    stores: Stores, user: User
) -> None:
    login = log_in(user).body
    token = login["access_token"]
    assert send("GET", "/v1/profile", token=token).status == 200  # now cached as alive
    listener = open_valkey(stores.settings.valkey_url).pubsub()
    listener.ssubscribe(ENDED_CHANNEL)
    listener.get_message(timeout=WAIT_SECONDS)
    assert send("POST", "/v1/auth/logout", token=token).status == 204
    assert listener.get_message(timeout=WAIT_SECONDS)["data"] == login["session_id"].encode()
    answer = send("GET", "/v1/profile", token=token)
    assert (answer.status, answer.body["code"]) == (401, "SESSION_ENDED")
    listener.close()


def test_sessions_are_listed_and_ended_by_their_owner_only(stores: Stores, user: User) -> None:
    other = make_user(stores)
    mine, theirs = log_in(user, code=user.code(1)).body, log_in(other).body
    second = log_in(user).body
    listed = send("GET", "/v1/auth/sessions", token=mine["access_token"]).body
    assert [item["session_id"] for item in listed["items"]] == [
        second["session_id"],
        mine["session_id"],
    ]
    assert [item["current"] for item in listed["items"]] == [False, True]
    foreign = f"/v1/auth/sessions/{theirs['session_id']}"
    assert send("DELETE", foreign, token=mine["access_token"]).status == 404
    assert send("GET", "/v1/profile", token=theirs["access_token"]).status == 200
    own = f"/v1/auth/sessions/{second['session_id']}"
    assert send("DELETE", own, token=mine["access_token"]).status == 204
    assert send("GET", "/v1/profile", token=second["access_token"]).status == 401
    assert send("GET", "/v1/profile", token=mine["access_token"]).status == 200


NO_SESSION = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("session_id", ["x", "'; DROP TABLE x; --", "%00", NO_SESSION])
def test_a_session_that_is_not_there_is_a_4xx(user: User, session_id: str) -> None:
    token = log_in(user).body["access_token"]
    path = f"/v1/auth/sessions/{session_id}".replace(" ", "%20")
    assert send("DELETE", path, token=token).status in {400, 404}


def test_a_session_ends_by_itself(stores: Stores, user: User) -> None:
    sessions, now = Sessions(stores.shards.control, stores.valkey), wall_now()
    session_id, refresh = open_session(stores, user.user_id, now - LIFE)
    assert not sessions.is_alive(session_id, now)
    with pytest.raises(Refused):
        sessions.refresh(refresh, now, now, "203.0.113.7")


def test_without_valkey_tokens_are_checked_in_the_ledger_and_logins_wait(
    stores: Stores, user: User, valkey: ValkeyUnderTest
) -> None:
    token = log_in(user).body["access_token"]
    valkey.stop(signal.SIGKILL)
    assert send("GET", "/v1/profile", token=token).status == 200
    login = log_in(user)
    assert (login.status, login.body["code"]) == (503, "UNAVAILABLE")
    # The session has ended, but the answer says to ask again, because copies may not know yet.
    assert send("POST", "/v1/auth/logout", token=token).status == 503
    assert send("GET", "/v1/profile", token=token).status == 401


def test_an_end_that_valkey_lost_is_still_an_end(
    stores: Stores, user: User, valkey: ValkeyUnderTest
) -> None:
    token = log_in(user).body["access_token"]
    assert send("POST", "/v1/auth/logout", token=token).status == 204
    stores.valkey.flushall()
    assert send("GET", "/v1/profile", token=token).status == 401


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        {"username": "a", "totp": "123456"},
        {"username": "a", "password": "b", "totp": 123456},
        {"username": "a", "password": "b", "totp": "12345"},
        {"username": "a", "password": "b", "totp": "१२३४५६"},
        {"username": "", "password": "b", "totp": "123456"},
        {"username": "a", "password": "x" * 129, "totp": "123456"},
        {"username": "a", "password": "b", "totp": "123456", "role": "admin"},
        {"username": ["a"], "password": {"b": 1}, "totp": None},
        '{"username": "a\\u0000", "password": "b", "totp": "123456"}',
    ],
)
def test_a_malformed_login_is_a_400(stores: Stores, body: object) -> None:
    assert send("POST", "/v1/auth/login", body).status == 400


def test_a_totp_secret_is_stored_sealed_and_bound_to_its_owner(stores: Stores, user: User) -> None:
    other = make_user(stores)
    login = find_login(stores.shards, user.username)
    theirs = find_login(stores.shards, other.username)
    assert login is not None
    assert theirs is not None
    assert login.totp_secret(stores.secrets) == user.secret
    assert user.secret.encode() not in (login.sealed_totp_secret or b"")
    assert user.secret not in repr(login)
    swapped = type(login)(
        login.user_id, "", theirs.sealed_totp_secret, theirs.wrapped_key, "PAPER", (), "ACTIVE"
    )
    with pytest.raises(InvariantViolated):
        swapped.totp_secret(stores.secrets)


def test_the_edge_role_can_check_a_session_and_read_no_login(
    stores: Stores, user: User, edge_urls: list[str]
) -> None:
    token = log_in(user).body["access_token"]
    edge = Shards(edge_urls, "test")
    stores.valkey.flushall()
    verifier = Verifier.from_stores(stores.secrets, stores.valkey, edge, stores.regions)
    assert verifier.verify(token).user_id == user.user_id
    with pytest.raises(InvariantViolated):
        edge.control.run("SELECT * FROM identity.login")
    with pytest.raises(InvariantViolated):
        edge.control.run("SELECT identity.use_step(1::bigint, 1::bigint)")
    edge.close()


def test_a_token_ends_ten_minutes_after_it_was_made(stores: Stores, user: User) -> None:
    token = log_in(user).body["access_token"]
    sessions = Sessions(stores.shards.control, stores.valkey)
    keys = Keyring(lambda: verifying_keys(stores.secrets))
    later = Verifier(keys, sessions, stores.regions, lambda: wall_now() + LIFETIME)
    with pytest.raises(Refused) as refusal:
        later.verify(token)
    assert refusal.value.code == "TOKEN_EXPIRED"


def test_the_authorizer_lets_in_what_the_verifier_lets_in(stores: Stores, user: User) -> None:
    token = log_in(user).body["access_token"]
    arn = "arn:aws:execute-api:ap-south-1:1:api/test/GET/v1/profile"
    by_token = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": arn}
    by_request = {
        "type": "REQUEST",
        "headers": {"Authorization": f"Bearer {token}"},
        "methodArn": arn,
    }
    for event in (by_token, by_request):
        policy = authorizer.lambda_handler(event, None)
        assert policy["principalId"] == str(user.user_id)
        statement = policy["policyDocument"]["Statement"][0]
        assert (statement["Effect"], statement["Resource"]) == ("Allow", arn)
    send("POST", "/v1/auth/logout", token=token)
    for event in (by_token, by_request, {"type": "REQUEST", "headers": None, "methodArn": arn}):
        denied = authorizer.lambda_handler(event, None)
        assert denied["policyDocument"]["Statement"][0]["Effect"] == "Deny"
        code = "SESSION_ENDED" if event.get("headers", "") is not None else "TOKEN_MISSING"
        assert (denied["context"]["code"], denied["context"]["title"]) == (code, CODES[code])
