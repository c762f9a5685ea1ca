"""Questions of many clients at once, on the threads that ask the stores."""

import threading
from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from edge.fanout.client import Client
from edge.fanout.lookups import TOKENS_AT_ONCE, Lookups
from functions.shared.access.principal import Principal
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.wire.events import UserEvent
from tests.support.eventually import until
from tests.support.fanout import event, principal


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


class Ledger:
    """Every account's newest event is number 10, but user 3's can't be had now."""

    def __init__(self) -> None:
        self.numbers: list[Sequence[int]] = []
        self.reads: list[tuple[int, int]] = []
        self.books: list[tuple[Sequence[int], date]] = []

    def latest_all(self, user_ids: Sequence[int]) -> list[int | Retryable]:
        self.numbers.append(user_ids)
        return [Retryable("its slot moves") if user == 3 else 10 for user in user_ids]

    def after(self, user_id: int, seq: int, count: int) -> list[UserEvent]:
        self.reads.append((user_id, seq))
        return [event(number, user_id) for number in range(seq + 1, 12)][:count]

    def read_all(self, user_ids: Sequence[int], day: date) -> list[Retryable | None]:
        self.books.append((user_ids, day))
        return [Retryable("its slot moves") if user == 3 else None for user in user_ids]

    def close(self) -> None:
        pass


class Private:
    """Private events and portfolios that note what they are told."""

    def __init__(self) -> None:
        self.told: dict[tuple[Any, int], tuple[list[int] | None, int] | None] = {}
        self.books: dict[tuple[int, int], object] = {}
        self.portfolios = self

    def fetched(
        self, client: Any, ticket: int, events: list[UserEvent] | None, latest: int
    ) -> None:
        numbers = None if events is None else [each.user_seq for each in events]
        self.told[client.user_id, ticket] = numbers, latest

    def not_fetched(self, client: Any, ticket: int) -> None:
        self.told[client.user_id, ticket] = None

    def answered(self, user_id: int, ticket: int, facts: object) -> None:
        self.books[user_id, ticket] = facts

    def not_answered(self, user_id: int, ticket: int) -> None:
        self.books[user_id, ticket] = "not answered"


def lookups(tokens: Tokens, told: Any, ledger: Any = None, private: Any = None) -> Lookups:
    nothing: Any = None
    ledger = ledger or Ledger()
    failures: list[BaseException] = []
    made = Lookups(tokens, lambda: ledger, lambda: ledger, nothing, failures.append)
    made.attach(told, private)
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
    assert tokens.asked == [TOKENS_AT_ONCE, TOKENS_AT_ONCE]
    assert [told.verdicts[client] for client in clients] == [
        f"refused: {number}" if number % 2 else f"in as {number}" for number in range(len(clients))
    ]


@pytest.mark.asyncio
async def test_stores_that_are_away_send_those_who_waited_elsewhere_and_serve_the_next() -> None:
    tokens, told = Tokens(), Told()
    doors = lookups(tokens, told)
    tokens.free.set()
    tokens.away = True
    clients: list[Any] = [object(), object()]
    first, second = clients
    doors.verify(first, "0")
    await until(lambda: told.verdicts == {first: "away"})
    tokens.away = False
    doors.verify(second, "2")
    await until(lambda: len(told.verdicts) == len(clients))
    doors.close()
    assert told.verdicts[second] == "in as 2"


@pytest.mark.asyncio
async def test_the_ledger_is_asked_once_where_many_stand_and_read_only_for_who_is_behind() -> None:
    ledger, private = Ledger(), Private()
    doors = lookups(Tokens(), None, ledger, private)
    clients: list[Any] = [SimpleNamespace(user_id=user) for user in range(1, 6)]
    for client, after in zip(clients, (None, 10, 0, 12, 8), strict=True):
        doors.events(client, 100 + client.user_id, after)
    await until(lambda: len(private.told) == len(clients))
    doors.close()
    assert ledger.numbers == [[1, 2, 3, 4, 5]]
    assert ledger.reads == [(5, 8)]
    assert private.told == {
        (1, 101): (None, 10),
        (2, 102): ([], 10),
        (3, 103): None,
        (4, 104): ([], 10),
        (5, 105): ([9, 10, 11], 11),
    }


@pytest.mark.asyncio
async def test_portfolios_are_read_together_each_of_its_trade_date() -> None:
    ledger, private = Ledger(), Private()
    doors = lookups(Tokens(), None, ledger, private)
    today, tomorrow = date(2026, 11, 23), date(2026, 11, 24)
    for ticket, (user_id, day) in enumerate([(1, today), (2, today), (3, today), (1, tomorrow)]):
        doors.portfolio(user_id, ticket, day)
    await until(lambda: len(private.books) == 4)
    doors.close()
    assert sorted(ledger.books, key=lambda asked: asked[1]) == [([1, 2, 3], today), ([1], tomorrow)]
    assert private.books == {(1, 0): None, (2, 1): None, (3, 2): "not answered", (1, 3): None}
