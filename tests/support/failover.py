"""Many clients of the library on two fanout nodes, and what happens to a node: a link to it half
open, stopped, killed.

Node A is reached through a link until that has been half open, node B directly; every client knows
both addresses. Events and prices go on all the time, so that each client comes back into a moving
market.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import redis.asyncio

from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.wire.events import user_channel
from functions.shared.wire.quotes import encode_record, partition_of_symbol
from infra.local.children import die_with_parent
from infra.local.ports import free_ports
from outcry_client import AccountEvent, Link, Notice, Price, StreamClient
from tests.support.eventually import WAIT_SECONDS, until
from tests.support.fanout import payload, quote
from tests.support.shared_node import COMMITTED

ROOT = Path(__file__).resolve().parents[2]
WATCHED = "S1"
ROUND_SECONDS = 1.0


class Outcome(NamedTuple):
    """A fault, how many connections it cost, and after how many seconds each of those clients had
    what was committed since, in rising order."""

    fault: str
    back_seconds: list[float]


class Token:
    """Signs one user in, for as long as anybody asks."""

    def __init__(self, user_id: int) -> None:
        self._token = f"user:{user_id}"

    async def bearer(self) -> str:
        return self._token

    async def renew(self, refused: str) -> None:
        raise AssertionError("nobody refuses it")


class Follower:
    """One client, which notes what it is told."""

    def __init__(self, user_id: int, addresses: Sequence[str]) -> None:
        self.stream = StreamClient(addresses, Token(user_id))
        self.stream.watch([WATCHED], "ltp")
        self.seqs: list[int] = []
        self.at: list[float] = []
        self.price = self.cuts = 0

    def quotes(self, quotes: Sequence[Price]) -> None:
        self.price = quotes[-1].fields["seq"]

    def account(self, events: Sequence[AccountEvent]) -> None:
        for each in events:
            self.seqs.append(each.user_seq)
            self.at.append(time.monotonic())

    def link(self, link: Link, detail: str) -> None:
        self.cuts += link is Link.RECONNECTING

    def notice(self, notice: Notice) -> None: ...

    async def reload(self) -> int:
        raise AssertionError("the node has every event")


class Fleet:
    """All clients, and the market that they follow: a round is an event of each and a price."""

    def __init__(self, valkey_url: str, followers: Sequence[Follower]) -> None:
        self.followers = followers
        self.committed = 0
        self._valkey = redis.asyncio.Redis.from_url(valkey_url)
        self._writer = QuoteWriter(valkey_url)

    async def round(self) -> int:
        """Commits an event of each user, then tells of it; the number of the round."""
        self.committed += 1
        pipeline = self._valkey.pipeline(transaction=False)
        pipeline.set(COMMITTED, self.committed)
        for user_id in range(len(self.followers)):
            pipeline.spublish(user_channel(user_id), payload(self.committed, user_id))
        await pipeline.execute()
        record = (WATCHED, encode_record(quote(WATCHED, self.committed)))
        await self._writer.write({partition_of_symbol(WATCHED): [record]}, 1)
        return self.committed

    def have(self, number: int) -> bool:
        """Whether everybody has the events of that round, and a price as new."""
        return all(
            each.stream.last_seq >= number and each.price >= number for each in self.followers
        )

    async def until_all_have(self, number: int) -> None:
        """The rounds go on meanwhile."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not self.have(number):
                await asyncio.sleep(ROUND_SECONDS)
                await self.round()

    async def close(self) -> None:
        await self._writer.close()
        await self._valkey.aclose()


@contextlib.contextmanager
def _process(module: str, *arguments: object) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, preexec_fn=die_with_parent(signal.SIGKILL),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)


def _address(port: int) -> str:
    return f"ws://127.0.0.1:{port}/v1/stream"


def _listens(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


@contextlib.asynccontextmanager
async def _following(valkey_url: str, count: int, addresses: list[str]) -> AsyncIterator[Fleet]:
    fleet = Fleet(valkey_url, [Follower(number, addresses) for number in range(count)])
    tasks = [asyncio.create_task(each.stream.follow(each, 0)) for each in fleet.followers]
    try:
        yield fleet
        ended = [task for task in tasks if task.done()]
        assert not ended, ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await fleet.close()


async def _strike(fleet: Fleet, fault: str, victim: "subprocess.Popen[bytes]") -> Outcome:
    """Does it, and waits until everybody has what was committed after it."""
    before, began = [each.cuts for each in fleet.followers], time.monotonic()
    victim.send_signal(signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
    number = await fleet.round()
    await fleet.until_all_have(number)
    hit = [e for e, cuts in zip(fleet.followers, before, strict=True) if e.cuts > cuts]
    if fault != "killed":
        victim.send_signal(signal.SIGCONT)
    return Outcome(fault, sorted(each.at[number - 1] - began for each in hit))


async def fail_over(valkey_url: str, count: int) -> list[Outcome]:
    """Lets so many clients come in, and live through each fault; what each of the four took.

    Raises AssertionError when one of them missed an event, had one twice or out of order.
    """
    a, b, link = free_ports(3)
    addresses = [_address(link), _address(b)]
    with (
        _process("tests.support.shared_node", valkey_url, a) as node_a,
        _process("tests.support.shared_node", valkey_url, b) as node_b,
        _process("tests.support.tcp_link", link, a) as to_a,
    ):
        await until(lambda: all(map(_listens, (a, b, link))))
        async with _following(valkey_url, count, addresses) as fleet:
            began = time.monotonic()
            await fleet.until_all_have(await fleet.round())
            opening = Outcome("opening", sorted(each.at[0] - began for each in fleet.followers))
            outcomes = [opening, await _strike(fleet, "half open", to_a)]
            addresses[0] = _address(a)
            outcomes.append(await _strike(fleet, "hung", node_b))
            outcomes.append(await _strike(fleet, "killed", node_a))
            last = fleet.committed
            await until(lambda: all(each.stream.last_seq == last for each in fleet.followers))
            for each in fleet.followers:
                assert each.seqs == list(range(1, last + 1))
    return outcomes
