"""Sessions that ended while nobody listened: their sockets close once the stores can tell."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from edge.fanout.lookups import Lookups
from edge.fanout.main import Fanout
from edge.fanout.missed_ends import AT_ONCE, MissedEnds
from functions.shared.access.principal import Principal
from functions.shared.access.sessions import ENDED_CHANNEL
from functions.shared.domain.errors import Refused, Retryable
from tests.support.eventually import until
from tests.support.fanout import WALL, principal


class Kept:
    """All sessions are alive but those that `ended`; away for its first questions."""

    def __init__(self, ended: set[str], away: int = 0) -> None:
        self.ended, self.away = ended, away
        self.asked: list[list[str]] = []

    def alive(self, session_ids: Sequence[str], now: datetime) -> set[str]:
        self.asked.append(list(session_ids))
        if len(self.asked) <= self.away:
            raise Retryable("the stores are away")
        return set(session_ids) - self.ended


def looking(kept: Kept, ended: list[str]) -> MissedEnds:
    failures: list[BaseException] = []
    return MissedEnds(kept, ended.append, failures.append, lambda: WALL)


@pytest.mark.asyncio
async def test_ends_are_found_in_batches_however_long_the_stores_are_away() -> None:
    sessions = [f"s{number}" for number in range(AT_ONCE + 2)]
    kept, ended = Kept({"s1", sessions[-1]}, away=2), list[str]()
    missed = looking(kept, ended)
    missed.look(sessions)
    missed.look(sessions[:5])  # while the first look is under way
    await until(lambda: len(kept.asked) == 4)
    assert set(ended) == kept.ended  # whichever batch they were in: who waits again is last
    assert [len(asked) for asked in kept.asked] == [AT_ONCE, AT_ONCE, AT_ONCE, 2]


@pytest.mark.asyncio
async def test_one_that_is_named_when_the_last_look_ends_is_looked_for_too() -> None:
    kept, ended = Kept({"a", "b"}), list[str]()

    def told(session_id: str) -> None:
        ended.append(session_id)
        if session_id == "a":  # the loop's next turn: the task is over, and not yet forgotten
            asyncio.get_running_loop().call_soon(missed.look, ["b"])

    missed = MissedEnds(kept, told, lambda error: None, lambda: WALL)
    missed.look(["a"])
    await until(lambda: ended == ["a", "b"])


class Tokens:
    """Each token holds, once `free` says so."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def verify_all(self, tokens: Sequence[str]) -> list[Principal | Refused]:
        asyncio.run_coroutine_threadsafe(self.free.wait(), self.loop).result(60)
        return [principal(7, token) for token in tokens]


@pytest.mark.asyncio
async def test_those_signed_in_and_those_being_checked_are_looked_for_after_an_outage() -> None:
    nothing: Any = SimpleNamespace(close=lambda: None)
    tokens, verified = Tokens(), list[str]()
    reception: Any = SimpleNamespace(
        session_ids=lambda: ["in"], verified=lambda client, who: verified.append(who.session_id)
    )
    kept, ended = Kept({"in", "checked"}), list[str]()
    doors = Lookups(tokens, lambda: nothing, lambda: nothing, nothing, lambda error: None)
    doors.attach(reception, nothing, looking(kept, ended))
    client: Any = object()
    doors.verify(client, "checked")
    await asyncio.sleep(0)  # it is under way
    fanout: Any = SimpleNamespace(
        _private=SimpleNamespace(restored=lambda users: None),
        _lookups=doors,
        _unread=frozenset(),
        _warming=SimpleNamespace(done=lambda: False),
    )
    Fanout._restored(fanout, frozenset({"quotes.1"}))
    assert not kept.asked  # no end was missed
    Fanout._restored(fanout, frozenset({ENDED_CHANNEL}))
    await until(lambda: ended == ["in"])
    doors.verify(client, "later")
    tokens.free.set()
    await until(lambda: verified == ["checked", "later"])
    await until(lambda: ended == ["in", "checked"])
    assert ["later"] not in kept.asked  # its end would be heard
    doors.close()
