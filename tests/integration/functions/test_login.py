"""Logging in against a real PostgreSQL and Valkey: who waits, what a session shows, when it ends,
and what the audit trail tells."""

import signal
import uuid
from datetime import timedelta

import pytest

from functions.shared.access import guesses, passwords
from functions.shared.access.daily_logout import SessionEnd
from functions.shared.access.devices import COOKIE, device_digest
from functions.shared.access.guesses import Guesses, LoginPatience
from functions.shared.access.sessions import Sessions
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores
from tests.support.logins import AMERICA, INDIA, JAPAN, PASSWORD, Customer, Mailbox, send, trail
from tests.support.sessions import open_session
from tests.support.valkey import ValkeyUnderTest


def test_a_login_tells_its_device_token_and_a_browser_gets_it_as_a_cookie_over_tls(
    customer: Customer,
) -> None:
    first = customer.log_in()
    assert "set-cookie" not in first.headers
    customer.clock.next_step()
    over_tls = {"X-Forwarded-Proto": "https", "Cookie": f"{COOKIE}={first.body['device_token']}"}
    second = customer.log_in(JAPAN, headers=over_tls)
    assert second.body["device_token"] == first.body["device_token"]  # the cookie was enough
    assert second.headers["set-cookie"].startswith(f"{COOKIE}={second.body['device_token']};")
    customer.clock.next_step()
    planted = customer.log_in(INDIA, "a token that never logged in")
    assert planted.body["device_token"] != "a token that never logged in"


def test_a_session_shows_where_it_was_opened_and_when_it_ends(customer: Customer) -> None:
    first = customer.log_in().body
    customer.clock.next_step()
    second = customer.log_in(JAPAN, first["device_token"]).body
    listed = send("GET", "/v1/auth/sessions", token=second["access_token"]).body["items"]
    assert [(item["network"], item["country"]) for item in listed] == [
        (JAPAN, "JP"), (INDIA, "IN"),
    ]  # fmt: skip
    assert listed[0]["device_first_seen"] == listed[1]["device_first_seen"]
    assert listed[0]["expires_at"] == second["session_expires_at"]


# -- guesses ----------------------------------------------------------------------------------


def test_ten_thousand_guesses_from_many_addresses_leave_the_owner_in_on_a_known_device(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = customer.log_in(INDIA).body["device_token"]
    hashed = 0
    verify = passwords.password_matches

    def counted(stored: str | None, password: str) -> bool:
        nonlocal hashed
        hashed += 1
        return verify(stored, password)

    monkeypatch.setattr("functions.auth.log_in.password_matches", counted)
    monkeypatch.setattr(guesses, "_FIRST_WAIT_MS", 900_000)  # no guess more, however slow we are
    patience, strangers = LoginPatience(10, 100), Guesses(stores.valkey)
    for number in range(60):  # through the whole door, each from an address of its own
        answer = customer.log_in(f"8.8.{number}.8", password="wrong wrong")
        assert answer.status == (401 if number < 10 else 429)
    refused = 0
    for number in range(10_000):  # the rest at the lock alone: no 429 gets to a hash
        address = f"1.{number // 250}.{number % 250}.1"
        try:
            strangers.take(patience.of_stranger(customer.username, address))
        except Refused:
            refused += 1
    assert refused == 10_000
    assert hashed == 10
    customer.clock.next_step()
    assert (
        customer.log_in(JAPAN).status == 429
    )  # a device that nobody knows shares with the strangers
    owner = customer.log_in(JAPAN, device)
    assert owner.status == 200
    assert hashed == 11
    others = customer.log_in(JAPAN, "a token they made up", password="wrong wrong")
    assert others.status == 429


def test_each_wrong_login_doubles_the_wait_to_a_quarter_of_an_hour_and_asking_adds_nothing(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = LoginPatience(3, 100).of_device(customer.username, b"d" * 32)
    lock = Guesses(stores.valkey)

    def server_ms() -> int:
        seconds, micros = stores.valkey.time()
        return seconds * 1_000 + micros // 1_000

    for wait in [0, 0, *[1_000 * 2**n for n in range(10)], *[900_000] * 4]:
        before = server_ms()
        lock.take(bucket)
        free_at = int(stores.valkey.hget(bucket[0].key, "free_at") or 0)
        assert before + wait <= free_at <= server_ms() + wait
        stores.valkey.hset(bucket[0].key, "free_at", 0)  # the wait is over
    lock.take(bucket)
    for _ in range(3):
        with pytest.raises(Refused) as refusal:
            lock.take(bucket)
        assert 0 < refusal.value.extra["retry_after_seconds"] <= 900
    lock.right(bucket)
    lock.take(bucket)


def test_logging_in_as_oneself_empties_no_networks_bucket(stores: Stores) -> None:
    patience, lock = LoginPatience(10, 4), Guesses(stores.valkey)
    for number in range(4):
        lock.take(patience.of_stranger(f"victim-{number}", AMERICA))
        if number < 3:
            lock.take(patience.of_stranger("attacker", AMERICA))
            lock.right(patience.of_stranger("attacker", AMERICA))
    with pytest.raises(Refused):
        lock.take(patience.of_stranger("victim-9", AMERICA))
    lock.take(patience.of_stranger("victim-9", JAPAN))


def test_a_name_that_nobody_has_waits_and_costs_as_any_other(
    stores: Stores, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bool] = []
    verify = passwords.password_matches

    def counted(stored: str | None, password: str) -> bool:
        hashed.append(stored is None)
        return verify(stored, password)

    monkeypatch.setattr("functions.auth.log_in.password_matches", counted)
    monkeypatch.setattr(guesses, "_FIRST_WAIT_MS", 900_000)
    nobody = Customer(0, f"n{uuid.uuid4().hex[:12]}", customer.secret, customer.clock)
    told = []
    for who in (customer, nobody):
        answers = [who.log_in(AMERICA, password="wrong wrong") for _ in range(12)]
        told.append([(a.status, a.body["code"], a.body["detail"][:20]) for a in answers])
    assert told[0] == told[1]
    assert hashed == [False] * 10 + [True] * 10


def test_without_valkey_nobody_guesses(customer: Customer, valkey: ValkeyUnderTest) -> None:
    device = customer.log_in().body["device_token"]
    customer.clock.next_step()
    valkey.stop(signal.SIGKILL)
    assert customer.log_in(device=device).status == 503


# -- the audit trail --------------------------------------------------------------------------


def test_a_flood_of_refusals_is_one_entry_for_each_account_network_and_minute(
    stores: Stores, customer: Customer
) -> None:
    database = stores.shards.control
    name = f"n{uuid.uuid4().hex[:12]}"
    for _ in range(4):
        customer.log_in(AMERICA, password="wrong wrong")
    customer.log_in(JAPAN, password="wrong wrong")
    for number in range(3):  # names that nobody has are one, whatever they are
        Customer(0, f"{name}{number}", customer.secret, customer.clock).log_in(AMERICA)
    database.run("SELECT identity.tell_refusals('infinity'::timestamptz)")
    database.run("SELECT identity.tell_refusals('infinity'::timestamptz)")
    told = database.run(
        "SELECT network, detail ->> 'minute', sum((detail ->> 'refusals')::integer), count(*)"
        " FROM identity.audit WHERE action = 'LOGIN_REFUSED' AND subject = :user::bigint"
        " GROUP BY 1, 2",
        user=customer.user_id,
    )
    assert {rows for _, _, _, rows in told} == {1}
    counted = {
        network: sum(n for where, _, n, _ in told if where == network) for network, *_ in told
    }
    assert counted == {AMERICA: 4, JAPAN: 1}
    [[strangers]] = database.run(
        "SELECT sum((detail ->> 'refusals')::integer) FROM identity.audit"
        " WHERE action = 'LOGIN_REFUSED' AND subject IS NULL AND network = :network::text",
        network=AMERICA,
    )
    assert strangers >= 3


def test_ends_and_reuse_are_told_once_and_reuse_is_mailed(
    stores: Stores, customer: Customer, mailbox: Mailbox
) -> None:
    sessions = []
    for _ in range(3):
        sessions.append(customer.log_in().body)
        customer.clock.next_step()
    first, second, third = sessions
    for _ in range(2):
        path = f"/v1/auth/sessions/{second['session_id']}"
        assert send("DELETE", path, token=first["access_token"], address=INDIA).status == 204
    assert send("POST", "/v1/auth/logout", token=first["access_token"], address=INDIA).status == 204
    leaked = {"refresh_token": third["refresh_token"]}
    assert send("POST", "/v1/auth/refresh", leaked, address=INDIA).status == 200
    for _ in range(2):
        reused = send("POST", "/v1/auth/refresh", leaked, address=AMERICA)
        assert (reused.status, reused.body["code"]) == (401, "REFRESH_REUSED")
    assert trail(stores, customer)[3:] == [
        ("SESSION_ENDED", INDIA), ("LOGGED_OUT", INDIA), ("TOKEN_REUSED", AMERICA),
    ]  # fmt: skip
    assert len(mailbox.sent) == 1
    mailbox.away = True
    last = {"refresh_token": customer.log_in().body["refresh_token"]}
    assert send("POST", "/v1/auth/refresh", last).status == 200
    assert send("POST", "/v1/auth/refresh", last).body["code"] == "REFRESH_REUSED"


def test_no_entry_tells_a_secret(stores: Stores, customer: Customer, mailbox: Mailbox) -> None:
    told = [customer.log_in().body]
    customer.clock.next_step()
    held = customer.log_in(AMERICA).body
    answer = {"challenge_id": held["challenge_id"], "code": mailbox.code()}
    told.append(send("POST", "/v1/auth/challenge", answer, address=AMERICA).body)
    secrets = [held["challenge_id"], PASSWORD, customer.secret, customer.username]
    secrets += [body[name] for body in told for name in ("refresh_token", "device_token")]
    rows = stores.shards.control.run(
        "SELECT a::text FROM identity.audit a WHERE subject = :user::bigint", user=customer.user_id
    )
    assert rows
    assert not [secret for secret in secrets for (text,) in rows if secret in text]


# -- the end of the day -----------------------------------------------------------------------


def test_no_renewal_and_no_token_passes_the_daily_logout(
    stores: Stores, customer: Customer
) -> None:
    now = customer.clock.now
    soon = SessionEnd(now + timedelta(minutes=3), now + timedelta(hours=5))
    _, refresh = open_session(stores, customer.user_id, now, soon)
    renewed = send("POST", "/v1/auth/refresh", {"refresh_token": refresh}).body
    assert 170 <= renewed["expires_in"] <= 180
    sessions = Sessions(stores.shards.control, stores.valkey)
    # The business clock was moved past the logout meanwhile.
    with pytest.raises(Refused) as refusal:
        sessions.refresh(renewed["refresh_token"], now, now + timedelta(hours=5), INDIA)
    assert refusal.value.code == "REFRESH_INVALID"
    customer.clock.now += timedelta(minutes=3)
    late = send("POST", "/v1/auth/refresh", {"refresh_token": renewed["refresh_token"]})
    assert (late.status, late.body["code"]) == (401, "REFRESH_INVALID")


def test_the_least_used_devices_are_forgotten_beyond_twenty(
    stores: Stores, customer: Customer
) -> None:
    first = customer.log_in().body["device_token"]
    for _ in range(20):
        customer.clock.next_step()
        last = customer.log_in().body["device_token"]
    digests = {
        bytes(digest)
        for (digest,) in stores.shards.control.run(
            "SELECT digest FROM identity.device WHERE user_id = :user::bigint",
            user=customer.user_id,
        )
    }
    assert len(digests) == 20
    assert device_digest(first) not in digests
    assert device_digest(last) in digests
