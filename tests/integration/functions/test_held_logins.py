"""The takeover rule against a real PostgreSQL and Valkey: a login from a new device, network and
country at once waits for a mailed code."""

from datetime import timedelta

import pytest

from functions.shared.access.accounts import find_login
from functions.shared.access.devices import device_digest
from functions.shared.access.passwords import hash_password
from functions.shared.runtime.composition import Stores
from tests.support.logins import AMERICA, INDIA, INDIA_TOO, JAPAN, Customer, Mailbox, send, trail


def test_a_new_device_network_and_country_at_once_opens_nothing_before_the_mailed_code(
    stores: Stores, customer: Customer, mailbox: Mailbox
) -> None:
    assert customer.log_in(INDIA).status == 200  # the first ever is not held
    customer.clock.next_step()
    held = customer.log_in(AMERICA)
    assert (held.status, held.body["code"], held.body["expires_in"]) == (403, "LOGIN_HELD", 600)
    assert "access_token" not in held.body
    answer = {"challenge_id": held.body["challenge_id"], "code": mailbox.code()}
    elsewhere = send("POST", "/v1/auth/challenge", answer, address=JAPAN)
    assert (elsewhere.status, elsewhere.body["code"]) == (401, "CHALLENGE_WRONG")
    opened = send("POST", "/v1/auth/challenge", answer, address=AMERICA)
    assert opened.status == 200
    assert send("GET", "/v1/profile", token=opened.body["access_token"]).status == 200
    again = send("POST", "/v1/auth/challenge", answer, address=AMERICA)
    assert (again.status, again.body["code"]) == (401, "CHALLENGE_ENDED")
    customer.clock.next_step()
    assert customer.log_in(AMERICA, opened.body["device_token"]).status == 200
    assert trail(stores, customer) == [
        ("LOGIN_OK", INDIA),
        ("LOGIN_HELD", AMERICA),
        ("CHALLENGE_REFUSED", JAPAN),
        ("CHALLENGE_PASSED", AMERICA),
        ("LOGIN_OK", AMERICA),
        ("LOGIN_OK", AMERICA),
    ]
    assert len(mailbox.sent) == 1


@pytest.mark.parametrize("known", ["device", "network", "country"])
def test_one_of_the_three_that_is_known_is_enough(customer: Customer, known: str) -> None:
    ipv6 = "2606:4700::1111"  # of no country that the table knows
    first = customer.log_in(ipv6 if known == "network" else INDIA).body
    customer.clock.next_step()
    again = {
        "device": lambda: customer.log_in(AMERICA, first["device_token"]),
        "network": lambda: customer.log_in("2606:4700::2222"),
        "country": lambda: customer.log_in(INDIA_TOO),
    }[known]()
    assert again.status == 200


def test_an_unknown_country_is_never_a_known_one(customer: Customer) -> None:
    assert customer.log_in("2606:4700::1111").status == 200
    customer.clock.next_step()
    assert customer.log_in("2a00:1450::1").status == 403


def test_five_tries_or_ten_minutes_and_a_challenge_is_over(
    customer: Customer, mailbox: Mailbox
) -> None:
    customer.log_in(INDIA)
    customer.clock.next_step()
    challenge_id = customer.log_in(AMERICA).body["challenge_id"]
    right = mailbox.code()
    wrong = {"challenge_id": challenge_id, "code": "000000" if right != "000000" else "000001"}
    answers = [send("POST", "/v1/auth/challenge", wrong, address=AMERICA) for _ in range(5)]
    assert [a.body["code"] for a in answers] == ["CHALLENGE_WRONG"] * 4 + ["CHALLENGE_ENDED"]
    assert [a.body["tries_left"] for a in answers[:4]] == [4, 3, 2, 1]
    late = {"challenge_id": challenge_id, "code": right}
    assert send("POST", "/v1/auth/challenge", late, address=AMERICA).status == 401
    customer.clock.next_step()
    challenge_id = customer.log_in(AMERICA).body["challenge_id"]
    customer.clock.now += timedelta(minutes=10)
    expired = {"challenge_id": challenge_id, "code": mailbox.code()}
    assert send("POST", "/v1/auth/challenge", expired, address=AMERICA).status == 401
    unknown = {"challenge_id": "x" * 43, "code": "123456"}
    answer = send("POST", "/v1/auth/challenge", unknown, address=AMERICA)
    assert (answer.status, answer.body["code"]) == (401, "CHALLENGE_ENDED")


def test_a_challenge_ends_with_the_password_it_was_for(
    stores: Stores, customer: Customer, mailbox: Mailbox
) -> None:
    customer.log_in(INDIA)
    customer.clock.next_step()
    answer = {"challenge_id": customer.log_in(AMERICA).body["challenge_id"], "code": mailbox.code()}
    login = find_login(stores.shards, customer.username)
    assert login is not None
    changed = stores.shards.control.run(  # as its mail advises
        "SELECT changed FROM identity.change_password(:user::bigint, :old::text, :new::text, NULL,"
        " now(), 'test')",
        user=login.user_id,
        old=login.password_hash,
        new=hash_password("another password"),
    )
    assert changed == [[True]]
    late = send("POST", "/v1/auth/challenge", answer, address=AMERICA)
    assert (late.status, late.body["code"]) == (401, "CHALLENGE_ENDED")


def test_what_was_not_used_for_half_a_year_is_new_again_and_forgotten(
    stores: Stores, customer: Customer, mailbox: Mailbox
) -> None:
    device = customer.log_in(INDIA).body["device_token"]
    customer.clock.next_step()
    customer.log_in(INDIA_TOO, device)
    customer.clock.now += timedelta(days=181)
    assert customer.log_in(AMERICA, device).status == 403
    customer.clock.next_step()
    held = customer.log_in(INDIA, device)  # of a place as old as the device
    answer = {"challenge_id": held.body["challenge_id"], "code": mailbox.code()}
    opened = send("POST", "/v1/auth/challenge", answer, address=INDIA).body
    kept = "SELECT digest FROM identity.device WHERE user_id = :user::bigint"
    assert [bytes(row[0]) for row in stores.shards.control.run(kept, user=customer.user_id)] == [
        device_digest(opened["device_token"])
    ]


def test_a_login_held_anew_ends_the_challenge_before_and_ten_are_a_days_most(
    customer: Customer, mailbox: Mailbox
) -> None:
    customer.log_in(INDIA)
    customer.clock.next_step()
    first = {"challenge_id": customer.log_in(AMERICA).body["challenge_id"], "code": mailbox.code()}
    for _ in range(9):
        customer.clock.next_step()
        assert customer.log_in(AMERICA).status == 403
    assert send("POST", "/v1/auth/challenge", first, address=AMERICA).status == 401
    customer.clock.next_step()
    assert customer.log_in(AMERICA).status == 429
    assert len(mailbox.sent) == 10
    customer.clock.next_step()
    assert customer.log_in(INDIA).status == 200  # the owner's own place is not touched by it


def test_a_code_that_cant_be_mailed_leaves_the_login_held(
    customer: Customer, mailbox: Mailbox
) -> None:
    customer.log_in(INDIA)
    customer.clock.next_step()
    mailbox.away = True
    assert customer.log_in(AMERICA).status == 503
    mailbox.away = False
    customer.clock.next_step()
    assert customer.log_in(AMERICA).status == 403
