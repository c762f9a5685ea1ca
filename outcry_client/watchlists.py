"""The user's watchlists, kept at the broker and the same on every device.

Flow: the stream's `watchlist` notice says that a list has another version by now, or is gone
(`version` None); without a `watchlist_id` any of them may have changed while the stream was away,
and all are read again: after a random wait of up to a minute, for everybody is told at once.
Invariant: a change names the version it was made of; RefusedError with the code VERSION_MOVED says
that another device was faster.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from outcry_client.api import Api

Item = Mapping[str, Any]


class Watchlists:
    """Reads and changes. Everything raises as `Api.call` does."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def all(self) -> list[Item]:
        """In the user's order."""
        answer = await self._api.call("GET", "/v1/watchlists")
        return list(answer["items"])

    async def one(self, watchlist_id: str) -> Item:
        return await self._ask("GET", watchlist_id)

    async def open(self, name: str, symbols: Sequence[str] = ()) -> Item:
        """A new list behind the others. Sent again it is refused: NAME_TAKEN."""
        body = {"name": name, "symbols": list(symbols)}
        answer: Item = await self._api.call("POST", "/v1/watchlists", body)
        return answer

    async def change(
        self,
        watchlist_id: str,
        version: int,
        *,
        name: str | None = None,
        symbols: Sequence[str] | None = None,
        position: int | None = None,
    ) -> Item:
        """The list of the next version. What is None stays; `position` counts from 0."""
        wanted = {
            "name": name,
            "symbols": None if symbols is None else list(symbols),
            "position": position,
        }
        changed = {field: value for field, value in wanted.items() if value is not None}
        return await self._ask("PATCH", watchlist_id, {"version": version, **changed})

    async def add_file(
        self, watchlist_id: str, version: int, text: str, *, dry_run: bool = False
    ) -> Item:
        """`watchlist` after it, how many were `added`, and the rows that were `refused`."""
        body = {"version": version, "text": text, "dry_run": dry_run}
        return await self._ask("POST", f"{watchlist_id}/import", body)

    async def drop(self, watchlist_id: str) -> None:
        await self._api.call("DELETE", _path(watchlist_id))

    async def _ask(self, method: str, of: str, body: Mapping[str, Any] | None = None) -> Item:
        answer: Item = await self._api.call(method, _path(of), body)
        return answer


def _path(of: str) -> str:
    return f"/v1/watchlists/{quote(of)}"
