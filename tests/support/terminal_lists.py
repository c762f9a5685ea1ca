"""A broker's watchlists for screens: kept by version, as the real one keeps them."""

from collections.abc import Mapping

import msgspec

from tui.client.broker import RefusedError
from tui.client.models import Problem
from tui.client.prices import KeptWatchlist


class KeptLists:
    """The watchlist part of `Broker`; `change_refusals` are raised first, one a change."""

    def __init__(self) -> None:
        self.known_watchlists: list[KeptWatchlist] = []
        self.change_refusals: list[Exception] = []

    async def watchlists(self) -> list[KeptWatchlist]:
        return list(self.known_watchlists)

    async def open_watchlist(self, body: Mapping[str, object]) -> KeptWatchlist:
        opened = msgspec.convert(
            {"watchlist_id": str(len(self.known_watchlists)), "version": 1, **body}, KeptWatchlist
        )
        self.known_watchlists.append(opened)
        return opened

    async def change_watchlist(
        self, watchlist_id: str, body: Mapping[str, object]
    ) -> KeptWatchlist:
        if self.change_refusals:
            raise self.change_refusals.pop(0)
        place, kept = next(
            (at, each)
            for at, each in enumerate(self.known_watchlists)
            if each.watchlist_id == watchlist_id
        )
        if body["version"] != kept.version:
            raise RefusedError(Problem(status=409, code="VERSION_MOVED"))
        fields = {**msgspec.to_builtins(kept), **body, "version": kept.version + 1}
        self.known_watchlists[place] = changed = msgspec.convert(fields, KeptWatchlist)
        return changed

    async def drop_watchlist(self, watchlist_id: str) -> None:
        self.known_watchlists = [
            each for each in self.known_watchlists if each.watchlist_id != watchlist_id
        ]
