"""No secret that a run makes is in what any part of it logs (ASVS 5.0, 16.2.5)."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from websockets.sync.client import connect

from tests.support.one_time_codes import code_at
from tests.support.stack import Stack

WAIT_SECONDS = 120


def secrets_of_a_run(stack: Stack) -> Iterator[str]:
    """Everything secret that a person and a program of theirs are given, use and get wrong."""
    made = stack.outcry("demo-user", "--count", "1", "--class", "TEST", "--json")
    user = json.loads(made.stdout)[0]
    yield from (user["password"], user["totp_secret"])

    def code(earlier: int = 0) -> str:
        """The step before counts as well: so each of two codes counts once, without a wait."""
        return code_at(user["totp_secret"], datetime.now(UTC) - timedelta(seconds=earlier))

    with httpx.Client(base_url=stack.api, timeout=60, verify=False) as http:
        login = {"username": user["username"], "password": user["password"], "totp": code(30)}
        wrong = {**login, "password": "wr0ng-but-typed-by-hand"}
        assert http.post("/v1/auth/login", json=wrong).status_code == 401
        yield wrong["password"]
        tokens = http.post("/v1/auth/login", json=login).json()
        yield from (tokens["access_token"], tokens["refresh_token"], tokens["device_token"])
        renewal = {"refresh_token": tokens["refresh_token"]}
        tokens = http.post("/v1/auth/refresh", json=renewal).json()
        yield from (tokens["access_token"], tokens["refresh_token"])

        forged = {"Authorization": "Bearer a-token-of-nobody-s"}
        assert http.get("/v1/profile", headers=forged).status_code == 401
        yield "a-token-of-nobody-s"
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        asked = {"name": "p", "scopes": ["read"], "totp": code()}
        key = http.post("/v1/auth/keys", json=asked).json()
        yield key["key_secret"]
        for secret in (key["key_secret"], "a-secret-of-no-key-at-all"):
            opened = {"key_id": key["key_id"], "key_secret": secret, "totp": asked["totp"]}
            assert http.post("/v1/auth/token", json=opened).status_code == 401  # the code is used
            yield secret
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    with connect(stack.stream, additional_headers=headers) as socket:
        assert "SIGNED_IN" in str(socket.recv(timeout=WAIT_SECONDS))


def of_the_machine(home: Path) -> Iterator[str]:
    """Passwords of databases and caches, tokens between the parts, private keys line by line."""
    for file in [*(home / "passwords").iterdir(), *(home / "secrets").iterdir()]:
        text = file.read_text()
        if "PUBLIC KEY" not in text:
            yield from (line for line in text.splitlines() if line and not line.startswith("-----"))


def test_no_secret_of_a_run_is_in_any_log(stack: Stack) -> None:
    secrets = {*secrets_of_a_run(stack), *of_the_machine(stack.home)}
    assert len(secrets) > 15
    assert min(map(len, secrets)) >= 12  # or it would be found by chance
    wanted = re.compile("|".join(map(re.escape, sorted(secrets))).encode())
    logs = [file for file in stack.home.rglob("*.log*") if file.is_file()]
    logs += [file for file in (stack.home / "logs").rglob("*") if file.is_file()]
    logs.append(stack.home.with_suffix(".out"))
    found = [file.name for file in set(logs) if wanted.search(file.read_bytes())]
    assert found == []
    assert any(b"/v1/auth/token" in file.read_bytes() for file in set(logs))  # they are the logs
