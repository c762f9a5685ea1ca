"""The user's watchlists at the broker: read, edited, opened and dropped one after the other.

Invariant: a worker ends in a posted message. An edit that another device was faster than is made
again on the newer list; one that failed is told, and what is shown is what the broker has.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from textual.message import Message

from outcry_client.errors import SignedOutError
from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.prices import KeptWatchlist
from tui.messages import BrokerNotice, SessionEnded, WatchlistsTold
from tui.state.watchlists import Edit, edited

FIRST_NAME: Final = "Watchlist"
EDIT_TRIES_MAX: Final = 5
READ_SPREAD_S: Final = 60.0
"""What every terminal is told at once, each reads within this."""


class ListKeeper:
    """`begin_with` is what the first list of a user without any holds."""

    def __init__(
        self, post: Callable[[Message], object], broker: Broker, begin_with: Sequence[str]
    ) -> None:
        self._post = post
        self._broker = broker
        self._begin_with = list(begin_with)
        self._known: dict[str, KeptWatchlist] = {}
        self._one_by_one = asyncio.Lock()
        self._rng = random.SystemRandom()

    def knows(self, watchlist_id: str, version: int | None) -> bool:
        """Whether nothing is news in this: what this terminal did itself comes back, too."""
        known = self._known.get(watchlist_id)
        if known is None:
            return version is None
        return version is not None and known.version >= version

    async def read(self, *, among_all: bool = False) -> None:
        """All of them anew; with `among_all` after a random wait."""
        if among_all:
            await asyncio.sleep(self._rng.uniform(0, READ_SPREAD_S))
        await self._do(self._read)

    async def edit(self, watchlist_id: str, edit: Edit) -> None:
        async def make() -> None:
            for _ in range(EDIT_TRIES_MAX):
                kept = self._known.get(watchlist_id)
                if kept is None:
                    break
                symbols = edited(kept.symbols, edit)
                if symbols == kept.symbols:
                    break
                body = {"version": kept.version, "symbols": symbols}
                try:
                    changed = await self._broker.change_watchlist(watchlist_id, body)
                except RefusedError as refusal:
                    if refusal.problem.code != "VERSION_MOVED":
                        raise
                    await self._read()
                    continue
                self._known[watchlist_id] = changed
                break
            self._tell()

        await self._do(make)

    async def open(self, name: str, symbols: Sequence[str] = ()) -> None:
        """A new list, which is then shown."""

        async def make() -> None:
            opened = await self._broker.open_watchlist({"name": name, "symbols": list(symbols)})
            self._known[opened.watchlist_id] = opened
            self._tell(opened.watchlist_id)

        await self._do(make)

    async def drop(self, watchlist_id: str) -> None:
        async def make() -> None:
            try:
                await self._broker.drop_watchlist(watchlist_id)
            except RefusedError as refusal:
                if refusal.problem.code != "NOT_FOUND":  # another device was faster
                    raise
            self._known.pop(watchlist_id, None)
            self._tell()

        await self._do(make)

    async def _read(self) -> None:
        lists = await self._broker.watchlists()
        if not lists:
            body = {"name": FIRST_NAME, "symbols": self._begin_with}
            lists = [await self._broker.open_watchlist(body)]
        self._known = {each.watchlist_id: each for each in lists}
        self._tell()

    def _tell(self, shown_id: str = "") -> None:
        self._post(WatchlistsTold(list(self._known.values()), shown_id))

    async def _do(self, step: Callable[[], Awaitable[None]]) -> None:
        async with self._one_by_one:
            try:
                await step()
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
            except (RefusedError, UnreachableError) as error:
                code = error.problem.code if isinstance(error, RefusedError) else "unreachable"
                self._post(BrokerNotice("error", code, f"The watchlist is not kept: {error}"))
                self._tell()
