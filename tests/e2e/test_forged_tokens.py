"""Every forged token at the doors outside: the API, and the stream by header and by message.

tests/integration/functions/test_forged_tokens.py has the doors inside, and the sources.
"""

import json
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.forged_tokens import Forgery, Genuine, forgeries
from tests.support.stack import Stack
from tests.support.trader import Trader

_WAIT_SECONDS: Final = 120
#: How the stream closes on each refusal: for good, or until the token has been refreshed.
_CLOSES: Final = {"TOKEN_INVALID": 4001, "TOKEN_EXPIRED": 4004, "SESSION_ENDED": 4004}


@pytest.fixture(scope="module")
def trader(stack: Stack) -> Trader:
    return stack.new_trader()


@pytest.fixture(scope="module")
def genuine(stack: Stack, trader: Trader) -> Genuine:
    key = (stack.home / "secrets" / "token-signing-key").read_text()
    return Genuine(trader.token, trader.refresh_token, key, 4711)


@pytest.fixture(scope="module")
def forged(genuine: Genuine) -> list[Forgery]:
    """Those that a client can put into a header."""
    return [f for f in forgeries(genuine) if f.token.isascii() and "\t" not in f.token]


def test_no_forged_token_opens_the_api(
    trader: Trader, genuine: Genuine, forged: list[Forgery]
) -> None:
    def answer(token: str) -> tuple[int, str]:
        got = trader.http.get("/v1/profile", headers={"Authorization": f"Bearer {token}"})
        return got.status_code, got.json().get("code", "LET IN")

    assert answer(genuine.token) == (200, "LET IN")
    assert {f.name: answer(f.token) for f in forged} == {f.name: (401, f.code) for f in forged}


def test_no_forged_token_opens_the_stream(
    stack: Stack, genuine: Genuine, forged: list[Forgery]
) -> None:
    def by_message(token: str) -> int:
        with dial(stack) as socket:
            socket.send(json.dumps({"action": "auth", "token": token}))
            return outcome(socket)

    def by_header(token: str) -> int:
        with dial(stack, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
            return outcome(socket)

    assert (by_message(genuine.token), by_header(genuine.token)) == (0, 0)
    found = {f.name: (by_message(f.token), by_header(f.token)) for f in forged}
    assert found == {f.name: (_CLOSES[f.code],) * 2 for f in forged}


def dial(stack: Stack, **more: Any) -> ClientConnection:
    return connect(stack.stream, subprotocols=["outcry.v1.json"], **more)  # type: ignore[list-item]


def outcome(socket: ClientConnection) -> int:
    """The code that the stream closes with; 0 when it lets the client in."""
    try:
        while True:
            message = json.loads(socket.recv(timeout=_WAIT_SECONDS))
            objects = message if isinstance(message, list) else [message]
            if any(each.get("code") == "SIGNED_IN" for each in objects):
                return 0
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else -1
