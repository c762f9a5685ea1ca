"""Limits on every route, by user and by address; what a key's networks let in (ASVS 5.0, 2.4.1)."""

import uuid
from dataclasses import replace
from datetime import datetime

import pyotp
import pytest

from functions.market import handler as market
from functions.shared.access.accounts import create_user
from functions.shared.access.call_rates import CallRates
from functions.shared.access.keys import signing_key
from functions.shared.access.principal import SCOPES, person_scopes
from functions.shared.access.throttle import Limit
from functions.shared.access.tokens import issue_token
from functions.shared.clock import wall_now
from functions.shared.runtime.composition import Stores
from tests.support.api_events import Answer, api_event, call
from tests.support.sessions import open_session
from tests.support.valkey import ValkeyUnderTest

#: None comes back while a test runs, however slow the machine.
SLOW = Limit("slow", 3, 60_000, fails_open=True)
NONE = CallRates(None, None, None)


def token_of(stores: Stores, now: datetime, *addresses: str) -> str:
    user_id = create_user(
        stores.shards, stores.secrets, username=f"u{uuid.uuid4().hex[:12]}",
        password="correct horse", totp_secret=pyotp.random_base32(32),
    )  # fmt: skip
    session_id, _ = open_session(stores, user_id, now)
    return issue_token(
        signing_key(stores.secrets), user_id=user_id, session_id=session_id, roles=("user",),
        mode="PAPER", region="IN", scopes=SCOPES, kind="PROGRAM" if addresses else "PERSON",
        addresses=addresses, now=now,
    )  # fmt: skip


def ask(token: str | None, address: str = "203.0.113.7") -> Answer:
    return call(
        market.lambda_handler, api_event("GET", "/v1/market/status", token=token, address=address)
    )


def outcomes(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_a_user_is_told_to_wait_and_no_other_is(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "call_rates", replace(NONE, user=SLOW))
    first, second = (token_of(stores, wall_now()) for _ in range(2))
    answers = [ask(first, f"198.51.100.{n}") for n in range(4)]
    assert outcomes(answers) == [200, 200, 200, 429]
    assert answers[3].body["code"] == "TOO_MANY_REQUESTS"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    assert ask(second).status == 200


def test_an_address_is_told_to_wait_whoever_calls_from_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "call_rates", replace(NONE, address=SLOW))
    tokens = [token_of(stores, wall_now()) for _ in range(4)]
    same_network = [f"2001:db8:0:1::{n}" for n in range(4)]
    answers = [ask(token, address) for token, address in zip(tokens, same_network, strict=True)]
    assert outcomes(answers) == [200, 200, 200, 429]
    assert ask(tokens[3], "2001:db8:0:2::1").status == 200


def test_an_address_that_tries_tokens_is_told_to_wait(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "call_rates", replace(NONE, stranger=SLOW))
    assert outcomes([ask(token) for token in ("a", None, "b", "c")]) == [401, 401, 401, 429]
    assert ask(token_of(stores, wall_now())).status == 200


def test_reads_go_on_while_valkey_is_away(
    stores: Stores, valkey: ValkeyUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "call_rates", CallRates(SLOW, SLOW, SLOW))
    token = token_of(stores, wall_now())
    valkey.stop()
    assert outcomes([ask(token) for _ in range(5)]) == [200] * 5
    assert ask("forged").status == 401


@pytest.mark.parametrize(
    ("addresses", "source", "status"),
    [
        (("203.0.113.0/24",), "203.0.113.7", 200),
        (("203.0.113.0/24",), "::ffff:203.0.113.7", 200),
        (("203.0.113.0/24", "2001:db8::/32"), "2001:db8::1", 200),
        (("203.0.113.8/32",), "203.0.113.7", 403),
        (("2001:db8::/32",), "203.0.113.7", 403),
        (("203.0.113.0/24",), "unknown", 403),
    ],
)
def test_a_program_calls_from_its_networks_alone(
    stores: Stores, addresses: tuple[str, ...], source: str, status: int
) -> None:
    answer = ask(token_of(stores, wall_now(), *addresses), source)
    assert answer.status == status
    if status == 403:
        assert answer.body["code"] == "ADDRESS_NOT_ALLOWED"


def test_scopes_follow_a_person_s_state_and_roles() -> None:
    assert person_scopes("ACTIVE", ("user",)) == SCOPES - {"admin"}
    assert person_scopes("ACTIVE", ("user", "auditor")) == SCOPES
    assert person_scopes("FROZEN", ("user", "auditor")) == {"read", "cancel"}
    assert person_scopes("APPLIED", ("user",)) == {"account"}
    assert person_scopes("CLOSED", ("user",)) == frozenset()
