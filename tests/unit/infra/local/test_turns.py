"""Turns at what is dear: a bounded queue before a bounded number of places."""

import asyncio

import pytest

from infra.local.gateway.pool import Overloaded
from infra.local.gateway.turns import Turns
from tests.support.eventually import until


async def test_so_many_hold_a_turn_so_many_wait_and_the_next_is_turned_away() -> None:
    turns, leave = Turns(at_once=2, waiting_most=3), asyncio.Event()
    holding = most = done = 0

    async def visit() -> None:
        nonlocal holding, most, done
        async with turns.take():
            holding += 1
            most = max(most, holding)
            await leave.wait()
            holding -= 1
        done += 1

    tasks = [asyncio.create_task(visit()) for _ in range(5)]
    await until(lambda: (holding, turns.waiting) == (2, 3))
    with pytest.raises(Overloaded):
        async with turns.take():
            pass
    tasks[-1].cancel()  # a client that went away leaves its place in the queue
    await asyncio.gather(tasks[-1], return_exceptions=True)
    assert turns.waiting == 2
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (most, done, turns.waiting) == (2, 4, 0)
    async with turns.take():
        pass
