"""What somebody else may do with what leaked: nothing for long (ASVS 5.0, 6.5.1, 7.4.1, 10.4.5)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed

from tests.support.one_time_codes import code_at
from tests.support.stack import Stack
from tests.support.trader import Stream


def post(stack: Stack, path: str, body: Any) -> tuple[int, Any]:
    answer = httpx.post(f"{stack.api}{path}", json=body, timeout=60, verify=False)
    return answer.status_code, answer.json()


def closed_with(stream: Stream) -> int:
    try:
        stream.until(lambda _: False)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else -1
    raise AssertionError("it is open still")


def test_a_refresh_token_used_by_two_ends_the_sessions_of_both_and_the_stream(
    stack: Stack,
) -> None:
    owner = stack.new_trader()
    leaked = {"refresh_token": owner.refresh_token}
    with owner.stream() as stream:
        stream.until(lambda o: o.get("code") == "SIGNED_IN")
        status, thiefs = post(stack, "/v1/auth/refresh", leaked)
        assert status == 200
        status, problem = post(stack, "/v1/auth/refresh", leaked)
        assert (status, problem["code"]) == (401, "REFRESH_REUSED")
        assert closed_with(stream) == 4004
    for token in (owner.token, thiefs["access_token"]):
        header = {"Authorization": f"Bearer {token}"}
        refused = httpx.get(f"{stack.api}/v1/profile", headers=header, verify=False)
        assert (refused.status_code, refused.json()["code"]) == (401, "SESSION_ENDED")
    status, problem = post(stack, "/v1/auth/refresh", {"refresh_token": thiefs["refresh_token"]})
    assert (status, problem["code"]) == (401, "REFRESH_INVALID")


def test_of_twenty_who_log_in_with_one_code_at_once_one_is_let_in(stack: Stack) -> None:
    made = stack.outcry("demo-user", "--count", "1", "--class", "TEST", "--json")
    user = json.loads(made.stdout)
    user = user[0] if isinstance(user, list) else user
    body = {
        "username": user["username"],
        "password": user["password"],
        "totp": code_at(user["totp_secret"], datetime.now(UTC)),
    }
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(stack, "/v1/auth/login", body), range(20)))
    statuses = sorted(status for status, _ in answers)
    assert statuses.count(200) == 1
    assert set(statuses[1:]) <= {401, 429, 503}  # wrong, and too many who were wrong
