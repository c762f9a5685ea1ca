"""The user's watchlist, kept as a file beside the journal."""

from pathlib import Path

import msgspec

SYMBOLS_MAX = 50
"""What one screen can use; more would only be subscribed, not read."""


class WatchlistFile:
    """Symbols in the order the user put them."""

    def __init__(self, home: Path, default: tuple[str, ...]) -> None:
        self.path = home / "watchlist.json"
        self.default = default

    def read(self) -> list[str]:
        """The kept symbols, or the default before any were kept.

        Raises msgspec.MsgspecError naming what is wrong when the file is no list of symbols.
        """
        if not self.path.exists():
            return list(self.default)
        return msgspec.json.decode(self.path.read_bytes(), type=list[str])[:SYMBOLS_MAX]

    def read_or_default(self) -> tuple[list[str], str]:
        """The kept symbols, and what is wrong with a file that can't be read; it is left as it is,
        and the default takes its place."""
        try:
            return self.read(), ""
        except (OSError, msgspec.MsgspecError) as error:
            return list(self.default), f"{self.path}: {error}"

    def write(self, symbols: list[str]) -> None:
        """Replace the kept symbols at once, so that a crash leaves the old list or the new."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(symbols[:SYMBOLS_MAX]))
        fresh.replace(self.path)
