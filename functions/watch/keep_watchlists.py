"""A person's watchlists: opened, changed, filled from a file, dropped, and told to their devices.

Invariant: what was answered is kept; the notice to the other devices comes behind it and may be
lost, for a device reads its lists whenever it connects. A symbol that comes in is listed; one that
was there stays, whatever became of it at the exchange.
"""

import functools
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID, uuid4

import msgspec

from functions.shared.clock import wall_now
from functions.shared.domain.errors import Conflict, NotFound, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.settings import Settings
from functions.shared.stores.valkey import answering
from functions.shared.stores.watchlists import Change, Watchlist, Watchlists
from functions.shared.wire.events import user_channel
from functions.shared.wire.notices import WatchlistMoved, encode_notice
from functions.watch.symbol_file import ROWS_MAX, Merged, merge, read_rows


class WatchSettings(Settings, frozen=True, kw_only=True):
    """How many lists a user may have, symbols a list, and price alerts."""

    watchlists: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    watchlist_symbols: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 250
    alerts: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 250


@functools.lru_cache(maxsize=1)
def settings() -> WatchSettings:
    """Of this process. Raises SettingsError."""
    return WatchSettings.from_environment()


def store(stores: Stores) -> Watchlists:
    """Where they are."""
    return Watchlists(stores.shards)


def one(stores: Stores, user_id: int, watchlist_id: UUID) -> Watchlist:
    """Raises NotFound when the user has none of that id."""
    found = store(stores).one(user_id, watchlist_id)
    if found is None:
        raise NotFound(f"no watchlist {watchlist_id}")
    return found


def open_list(stores: Stores, user_id: int, name: str, symbols: list[str]) -> Watchlist:
    """Raises Conflict (NAME_TAKEN, TOO_MANY), Refused 404 for a symbol that is not listed."""
    require_listed(stores, (), symbols)
    watchlist_id, most = uuid4(), settings().watchlists
    outcome = store(stores).open(user_id, watchlist_id, name, symbols, most, wall_now())
    if outcome == "NAME_TAKEN":
        raise Conflict("NAME_TAKEN", f"another list is called {name!r}")
    if outcome == "TOO_MANY":
        raise Conflict("TOO_MANY", f"there are {most} lists")
    _tell(stores, user_id, WatchlistMoved(watchlist_id=str(watchlist_id), version=1))
    return one(stores, user_id, watchlist_id)


def change_list(
    stores: Stores, user_id: int, watchlist_id: UUID, version: int, change: Change
) -> Watchlist:
    """Raises NotFound, Conflict (VERSION_MOVED, NAME_TAKEN), and Refused as `open_list`."""
    if change.symbols is not None:
        there = one(stores, user_id, watchlist_id)
        require_listed(stores, there.symbols, change.symbols)
    return _change(stores, user_id, watchlist_id, version, change)


def import_file(
    stores: Stores, user_id: int, watchlist_id: UUID, version: int, text: str, *, dry_run: bool
) -> tuple[Watchlist, Merged]:
    """The list after it, and what was taken of the file. Raises NotFound, Conflict (VERSION_MOVED),
    Refused 400 for a file that can't be read or has too many rows."""
    try:
        rows = read_rows(text)
    except ValueError as error:
        raise _invalid("text", str(error)) from None
    if len(rows) > ROWS_MAX:
        raise _invalid("text", f"more than {ROWS_MAX} rows")
    there = one(stores, user_id, watchlist_id)
    if there.version != version:
        raise Conflict("VERSION_MOVED", f"it is of version {there.version} now")
    master = stores.instruments.by_symbol()
    merged = merge(there.symbols, rows, master, settings().watchlist_symbols)
    if dry_run or not merged.added:
        return there, merged
    change = Change(symbols=merged.symbols)
    return _change(stores, user_id, watchlist_id, version, change), merged


def drop_list(stores: Stores, user_id: int, watchlist_id: UUID) -> None:
    """Raises NotFound."""
    if not store(stores).drop(user_id, watchlist_id):
        raise NotFound(f"no watchlist {watchlist_id}")
    _tell(stores, user_id, WatchlistMoved(watchlist_id=str(watchlist_id)))


def _change(
    stores: Stores, user_id: int, watchlist_id: UUID, version: int, change: Change
) -> Watchlist:
    outcome = store(stores).change(user_id, watchlist_id, version, change, wall_now())
    if outcome == "NOT_FOUND":
        raise NotFound(f"no watchlist {watchlist_id}")
    if outcome == "NAME_TAKEN":
        raise Conflict("NAME_TAKEN", f"another list is called {change.name!r}")
    if outcome == "VERSION_MOVED":
        raise Conflict("VERSION_MOVED", f"version {version} is not the last one")
    _tell(stores, user_id, WatchlistMoved(watchlist_id=str(watchlist_id), version=version + 1))
    return one(stores, user_id, watchlist_id)


def require_listed(stores: Stores, there: Iterable[str], symbols: Iterable[str]) -> None:
    """Raises Refused for too many symbols, or one that comes in and is not listed."""
    wanted, known = list(symbols), set(there)
    most = settings().watchlist_symbols
    if len(wanted) > most:
        raise _invalid("symbols", f"at most {most}")
    for symbol in wanted:
        if symbol not in known and stores.instruments.get(symbol) is None:
            raise Refused(404, "UNKNOWN_SYMBOL", f"{symbol!r} is not listed here", symbol=symbol)


def _invalid(field: str, message: str) -> Refused:
    errors = [{"field": field, "message": message}]
    return Refused(400, "INVALID_REQUEST", f"{field}: {message}", errors=errors)


def _tell(stores: Stores, user_id: int, notice: WatchlistMoved) -> None:
    try:
        with answering():
            stores.valkey.spublish(user_channel(user_id), encode_notice(notice))
    except Retryable as error:  # devices read their lists when they connect
        logger().warning("watchlist not told", why=str(error))
