"""What a client may be shown: a ready piece, and the version of the hub in which it last changed.

Invariant: a piece is made once, however many clients are shown it, and a client is sent those whose
version is above the one it has seen.
"""

from typing import TYPE_CHECKING, NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.encodings import Encoding

if TYPE_CHECKING:
    from edge.fanout.client import Client


class Shown:
    """A ready piece, and when it changed."""

    __slots__ = ("piece", "version")

    def __init__(self) -> None:
        self.piece = b""
        self.version = 0


class Feed(NamedTuple):
    """How a symbol is watched. `min_move` in ten-thousandths of a rupee, 0: every change."""

    mode: Mode
    encoding: Encoding
    min_move: int = 0


class View(Shown):
    """One symbol in one feed, and who watches it."""

    __slots__ = ("clients", "feed", "render", "symbol")

    def __init__(self, symbol: str, feed: Feed) -> None:
        super().__init__()
        self.symbol, self.feed = symbol, feed
        self.render = feed.encoding.renderers[feed.mode]
        self.clients: set[Client] = set()
