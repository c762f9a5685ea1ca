import asyncio

import pytest

from outcry_client.errors import SignedOutError
from outcry_client.session import Session
from tui.client.models import Tokens


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Refreshes:
    """Answers each refresh with the next token, and keeps what it was asked with."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, refresh_token: str) -> Tokens:
        self.asked.append(refresh_token)
        await asyncio.sleep(0)
        return _tokens(len(self.asked) + 1)


def _tokens(number: int) -> Tokens:
    return Tokens(access_token=f"t{number}", expires_in=900, refresh_token=f"r{number}")


async def test_a_token_is_renewed_a_minute_before_it_expires() -> None:
    clock, refreshes = Clock(), Refreshes()
    session = Session(refreshes, clock)
    session.begin(_tokens(1))

    clock.now = 839.0
    assert await session.bearer() == "t1"
    clock.now = 840.0
    assert await session.bearer() == "t2"
    assert refreshes.asked == ["r1"]


async def test_callers_at_the_same_time_share_one_renewal() -> None:
    clock, refreshes = Clock(), Refreshes()
    session = Session(refreshes, clock)
    session.begin(_tokens(1))
    clock.now = 850.0

    tokens = await asyncio.gather(*(session.bearer() for _ in range(20)))

    assert set(tokens) == {"t2"}
    assert refreshes.asked == ["r1"]


async def test_a_token_refused_twice_is_renewed_once() -> None:
    session = Session(refreshes := Refreshes(), Clock())
    session.begin(_tokens(1))

    await asyncio.gather(session.renew("t1"), session.renew("t1"))

    assert refreshes.asked == ["r1"]


async def test_without_a_sign_in_there_is_no_token() -> None:
    with pytest.raises(SignedOutError):
        await Session(Refreshes(), Clock()).bearer()
