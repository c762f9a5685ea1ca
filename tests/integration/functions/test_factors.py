"""What proves a person, for somebody who is signed in and for somebody who forgot: each once, and
what was there before it ends.

ASVS 5.0: 6.4.3, 6.5.1, 6.5.2, 7.4.3, 7.5.1.
"""

from datetime import timedelta
from typing import Any

import pyotp
import pytest

from functions.audit import carry_out
from functions.auth import reset_password
from functions.auth.reset_password import RESET_TO
from functions.shared.access import interventions, mailed_tokens
from functions.shared.access.sessions import Sessions
from functions.shared.domain.errors import Retryable
from functions.shared.runtime.composition import Stores
from tests.support.account_desk import InTime, Outbox, Person, clock, outbox, person, trader
from tests.support.bank import bank
from tests.support.logins import send

__all__ = ["bank", "clock", "outbox", "person", "trader"]


def test_another_authenticator_needs_the_old_one_and_ends_the_other_sessions(
    trader: Person, outbox: Outbox
) -> None:
    assert "Your authenticator is set up" in outbox.subjects(trader.who.mail)
    elsewhere = trader.token
    trader.renew()
    old = trader.secret
    assert trader.refused("POST", "/v1/auth/totp", {}) == "FACTOR_REFUSED"
    offered = trader.ok("POST", "/v1/auth/totp", {"totp": trader.code()})
    assert trader.log_in(totp=trader.code()).status == 200  # the old one counts until then
    trader.secret = offered["secret"]
    codes = trader.ok("PUT", "/v1/auth/totp", {"totp": trader.code()})["recovery_codes"]
    assert outbox.subjects(trader.who.mail)[-1] == "Another authenticator counts now"
    mine, trader.token = trader.token, elsewhere
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    trader.token = mine
    assert not set(codes) & set(trader.recovery)
    trader.clock.pass_by(timedelta(seconds=30))
    stale = pyotp.TOTP(old).at(trader.clock.now)
    assert trader.log_in(totp=stale).status == 401
    assert trader.refused("PUT", "/v1/auth/totp", {"totp": trader.code()}) == "TOTP_NOT_OFFERED"


def test_a_code_that_was_used_is_said_to_be_to_who_is_signed_in_alone(trader: Person) -> None:
    body = {"totp": trader.code()}
    trader.ok("POST", "/v1/auth/recovery-codes", body)
    again = trader.send("POST", "/v1/auth/recovery-codes", body)
    assert (again.status, again.body["code"]) == (403, "FACTOR_REFUSED")
    assert "used already" in again.body["detail"]
    wrong = trader.send("POST", "/v1/auth/recovery-codes", {"totp": "000000"})
    assert "used already" not in wrong.body["detail"]
    assert "used" not in trader.log_in(**body).body["detail"]


def test_a_recovery_code_counts_once_and_new_ones_void_the_old(
    trader: Person, outbox: Outbox
) -> None:
    first, second, third = trader.recovery[:3]
    assert trader.log_in(recovery_code=first.lower().replace("-", " ")).status == 200
    assert trader.log_in(recovery_code=first).status == 401
    assert outbox.subjects(trader.who.mail).count("A recovery code was used to log in") == 1
    assert trader.account()["recovery_codes_left"] == 9
    new = trader.ok("POST", "/v1/auth/recovery-codes", {"recovery_code": second})
    assert len({*new["recovery_codes"], *trader.recovery}) == 20
    assert trader.log_in(recovery_code=third).status == 401
    assert trader.log_in(recovery_code=new["recovery_codes"][0]).status == 200


def test_a_password_changes_by_the_old_one_and_the_second_factor(
    trader: Person, outbox: Outbox
) -> None:
    elsewhere = trader.token
    trader.renew()
    new = f"{trader.who.password}-2"
    body = {"password": trader.who.password, "new_password": new}
    assert trader.refused("PUT", "/v1/auth/password", body) == "FACTOR_REFUSED"
    wrong = {**body, "password": "not that one", "totp": trader.code()}
    assert trader.refused("PUT", "/v1/auth/password", wrong) == "FACTOR_REFUSED"
    trader.ok("PUT", "/v1/auth/password", {**body, "totp": trader.code()})
    assert trader.account()["state"] == "ACTIVE"  # this session goes on
    trader.token = elsewhere
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    assert trader.log_in(totp=trader.code()).status == 401
    assert outbox.subjects(trader.who.mail)[-1] == "Your password was changed"


def test_a_forgotten_password_needs_the_mail_and_the_second_factor(
    trader: Person, outbox: Outbox
) -> None:
    new = f"{trader.who.password}-2"
    body = {"token": trader.ask_reset(), "new_password": new}
    path = "/v1/auth/password-reset"
    assert trader.refused("PUT", path, body) == "RESET_REFUSED"  # ASVS 6.4.3
    assert trader.refused("PUT", path, {**body, "totp": "000000"}) == "RESET_REFUSED"
    trader.ok("PUT", path, {**body, "totp": trader.code()})
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    assert trader.refused("PUT", path, {**body, "totp": trader.code()}) == "RESET_REFUSED"
    assert trader.log_in(totp=trader.code()).status == 401
    again = {**trader.who.application(), "password": new}
    login = {"username": again["username"], "password": new, "totp": trader.code()}
    assert trader.send("POST", "/v1/auth/login", login).status == 200


def test_asking_for_a_reset_does_the_same_for_any_address(
    trader: Person, outbox: Outbox, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 5.0, 6.3.8: by statements and mails, not by a stopwatch."""
    done: list[list[str]] = []
    run, before = stores.shards.control.run, len(outbox.mails)

    def noted(sql: str, **parameters: Any) -> Any:
        done[-1].append(sql)
        return run(sql, **parameters)

    answers = []
    monkeypatch.setattr(stores.shards.control, "run", noted)
    for mail in ("nobody@example.com", trader.who.mail.upper()):
        done.append([])
        answers.append(trader.send("POST", "/v1/auth/password-reset", {"mail": mail}))
    monkeypatch.undo()
    assert {(answer.status, answer.body["status"]) for answer in answers} == {(202, "ACCEPTED")}
    assert done[0] == done[1]
    assert len(outbox.mails) == before
    assert trader.mail_resets() == 1
    assert [to for to, _, _ in outbox.mails[before:]] == [trader.who.mail]
    assert trader.mail_resets() == 0


def test_a_reset_whose_mail_was_not_taken_is_mailed_by_the_next_run(
    trader: Person, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader.ok("POST", "/v1/auth/password-reset", {"mail": trader.who.mail})

    def away(*mail: str) -> None:
        raise Retryable("the mail is away")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "send", away)
        assert trader.mail_resets() == 0
    assert trader.mail_resets() == 1
    body = {"token": outbox.token(trader.who.mail), "new_password": "another long one"}
    trader.ok("PUT", "/v1/auth/password-reset", {**body, "totp": trader.code()})


@pytest.mark.parametrize("spoil", ["late", "guessed"])
def test_a_reset_is_for_minutes_and_a_few_guesses(trader: Person, spoil: str) -> None:
    path = "/v1/auth/password-reset"
    body = {"token": trader.ask_reset(), "new_password": "another long one"}
    if spoil == "late":
        trader.clock.pass_by(timedelta(minutes=15))
    else:
        for _ in range(5):
            assert trader.refused("PUT", path, {**body, "totp": "000000"}) == "RESET_REFUSED"
    assert trader.refused("PUT", path, {**body, "totp": trader.code()}) == "RESET_REFUSED"


def test_guesses_of_the_second_factor_are_few(trader: Person) -> None:
    codes = [
        trader.refused("POST", "/v1/auth/recovery-codes", {"totp": "000000"}) for _ in range(6)
    ]
    assert codes[-1] == "TOO_MANY_REQUESTS"


def test_a_stranger_who_asks_voids_no_reset_and_leaves_its_owner_some(trader: Person) -> None:
    mine, path = trader.ask_reset(), "/v1/auth/password-reset"
    body, most = {"mail": trader.who.mail}, reset_password.ASK_RESET_OF.size
    theirs = [send("POST", path, body, address="198.51.100.9").status for _ in range(most + 1)]
    assert theirs == [202] * most + [429]
    trader.mail_resets()
    newer = trader.ask_reset()
    reset = {"new_password": "another long one", "totp": trader.code()}
    trader.ok("PUT", path, {**reset, "token": mine})
    # One that was used voids the others.
    late = {**reset, "token": newer, "totp": trader.code()}
    assert trader.refused("PUT", path, late) == "RESET_REFUSED"


def test_mails_to_an_address_are_few_and_none_of_them_voids_another(trader: Person) -> None:
    mine, path = trader.ask_reset(), "/v1/auth/password-reset"
    networks = [f"198.51.100.{number}" for number in range(RESET_TO.size)]
    answers = [send("POST", path, {"mail": trader.who.mail}, address=each) for each in networks]
    assert [answer.status for answer in answers] == [202] * (RESET_TO.size - 1) + [429]
    assert trader.mail_resets() == RESET_TO.size - 1
    # Twelve are kept (offer_reset); as many as may come while one is good.
    lifetime = mailed_tokens.RESET_LIFETIME.total_seconds() * 1_000
    assert RESET_TO.size + lifetime // RESET_TO.every_ms <= 12
    reset = {"token": mine, "new_password": "another long one", "totp": trader.code()}
    trader.ok("PUT", path, reset)


@pytest.mark.parametrize("change", ["password", "totp", "password-reset"])
def test_a_change_whose_ends_could_not_be_announced_is_done_and_the_schedule_tells(
    trader: Person, outbox: Outbox, stores: Stores, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """ASVS 5.0, 7.4.3: nothing that is cut off leaves a session that goes on."""
    stolen = trader.token
    trader.account()  # a copy says that it is alive
    trader.renew()
    body: dict[str, object] = {}
    if change == "totp":
        offered = trader.ok("POST", "/v1/auth/totp", {"totp": trader.code()})
        trader.secret = offered["secret"]
    elif change == "password":
        body = {"password": trader.who.password, "new_password": "another long one"}
    else:
        body = {"token": trader.ask_reset(), "new_password": "another long one"}
    told = len(outbox.mails)

    def away(self: Sessions, session_id: str) -> None:
        raise Retryable("Valkey is away")

    with monkeypatch.context() as patch:
        patch.setattr(Sessions, "_announce_end", away)
        trader.ok("PUT", f"/v1/auth/{change}", {**body, "totp": trader.code()})
    assert len(outbox.mails) == told + 1
    trader.token = stolen
    assert trader.account()  # the copy's last seconds
    assert carry_out.lambda_handler({}, InTime())["accounts"] == 1
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    assert not list(interventions.pending(stores.shards))


def test_an_api_key_is_mailed_when_it_is_made_and_when_it_is_deleted(
    trader: Person, outbox: Outbox
) -> None:
    body = {"name": "mine", "scopes": ["read", "trade"], "addresses": ["127.0.0.1"]}
    made = trader.ok("POST", "/v1/auth/keys", {**body, "totp": trader.code()})
    to, subject, text = outbox.mails[-1]
    assert (to, subject) == (trader.who.mail, "An API key was made")
    assert "read, trade" in text
    assert made["key_secret"] not in text
    path = f"/v1/auth/keys/{made['key_id']}"
    trader.ok("DELETE", path)
    trader.ok("DELETE", path)
    assert outbox.subjects(trader.who.mail)[-2:] == [
        "An API key was made", "An API key was deleted",
    ]  # fmt: skip
