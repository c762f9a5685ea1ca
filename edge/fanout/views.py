"""What clients may be shown: a ready piece, and the version of the hub in which it last changed.

Invariant: a piece is made once, however many clients are shown it, and a client is sent those whose
version is above the one it has seen.
"""

from typing import TYPE_CHECKING, NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.encodings import Encoding
from edge.fanout.rendering import QUOTE, SNAPSHOT
from functions.shared.wire.quotes import Quote

if TYPE_CHECKING:
    from edge.fanout.client import Client


class Feed(NamedTuple):
    """How a symbol is watched. `min_move` in ten-thousandths of a rupee, 0: every change."""

    mode: Mode
    encoding: Encoding
    min_move: int = 0


class View:
    """One symbol in one feed, and who watches it. `made_of`: the quote that `piece` shows."""

    __slots__ = ("_render", "clients", "feed", "made_of", "piece", "symbol", "version")

    def __init__(self, symbol: str, feed: Feed) -> None:
        self.symbol, self.feed = symbol, feed
        self._render = feed.encoding.renderers[feed.mode]
        self.piece = b""
        self.made_of: Quote | None = None
        self.version = 0
        self.clients: set[Client] = set()

    def show(self, quote: Quote, version: int) -> None:
        """Shows everybody this quote from now on."""
        self.piece, self.made_of = self._render(QUOTE, quote), quote
        self.version = version

    def snapshot(self, newest: Quote) -> bytes:
        """What a newcomer is told of the newest quote; what was shown before stays as it is."""
        if self.made_of is None:
            self.piece, self.made_of = self._render(QUOTE, newest), newest
        if self.made_of is newest:
            return self.feed.encoding.as_snapshot(self.piece)
        return self._render(SNAPSHOT, newest)
