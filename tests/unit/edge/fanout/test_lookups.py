"""Token checks of many clients at once, on the thread that asks the stores."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from edge.fanout.client import Client
from edge.fanout.lookups import TOKENS_AT_ONCE, Lookups
from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Refused, Retryable
from tests.support.eventually import until
from tests.support.fanout import principal


class Tokens:
    """Lets even numbers in, and nobody while it is `away`; `free` lets the first check end."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.free = threading.Event()
        self.away = False

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]:
        self.asked.append(len(tokens))
        self.free.wait(30)
        if self.away:
            raise Retryable("the stores are away")
        return [
            Refused(401, "TOKEN_INVALID", token) if int(token) % 2 else principal(int(token))
            for token in tokens
        ]


class Told:
    """A reception that notes what it is told."""

    def __init__(self) -> None:
        self.verdicts: dict[Any, str] = {}

    def verified(self, client: Client, who: Principal) -> None:
        self.verdicts[client] = f"in as {who.user_id}"

    def refused(self, client: Client, error: Refused) -> None:
        self.verdicts[client] = f"refused: {error}"

    def not_verified(self, client: Client) -> None:
        self.verdicts[client] = "away"


def lookups(tokens: Tokens, told: Told) -> Lookups:
    nothing: Any = None
    failures: list[BaseException] = []
    made = Lookups(tokens, nothing, nothing, nothing, failures.append)
    reception: Any = told
    made.attach(reception, nothing)
    return made


@pytest.mark.asyncio
async def test_tokens_that_wait_are_checked_together_and_each_client_hears_of_its_own() -> None:
    tokens, told = Tokens(), Told()
    doors = lookups(tokens, told)
    clients: list[Any] = [object() for _ in range(2 * TOKENS_AT_ONCE)]
    for number, client in enumerate(clients):
        doors.verify(client, str(number))
    tokens.free.set()
    await until(lambda: len(told.verdicts) == len(clients))
    doors.close()
    assert tokens.asked == [1, TOKENS_AT_ONCE, TOKENS_AT_ONCE - 1]
    assert [told.verdicts[client] for client in clients] == [
        f"refused: {number}" if number % 2 else f"in as {number}" for number in range(len(clients))
    ]


@pytest.mark.asyncio
async def test_stores_that_are_away_send_those_who_waited_elsewhere_and_serve_the_next() -> None:
    tokens, told = Tokens(), Told()
    doors = lookups(tokens, told)
    tokens.free.set()
    tokens.away = True
    first, second = clients = [object(), object()]  # type: list[Any]
    doors.verify(first, "0")
    await until(lambda: told.verdicts == {first: "away"})
    tokens.away = False
    doors.verify(second, "2")
    await until(lambda: len(told.verdicts) == len(clients))
    doors.close()
    assert told.verdicts[second] == "in as 2"
