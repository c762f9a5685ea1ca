"""What clients may be shown: a ready piece, and the version of the hub in which it last changed.

Invariant: a piece is made once, however many clients are shown it, and a client is sent those whose
version is above the one it has seen.
"""

from typing import TYPE_CHECKING, NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.encodings import Encoding

if TYPE_CHECKING:
    from edge.fanout.client import Client


class Feed(NamedTuple):
    """How a symbol is watched. `min_move` in ten-thousandths of a rupee, 0: every change."""

    mode: Mode
    encoding: Encoding
    min_move: int = 0


class View:
    """One symbol in one feed, and who watches it."""

    __slots__ = ("clients", "feed", "piece", "render", "symbol", "version")

    def __init__(self, symbol: str, feed: Feed) -> None:
        self.symbol, self.feed = symbol, feed
        self.render = feed.encoding.renderers[feed.mode]
        self.piece = b""
        self.version = 0
        self.clients: set[Client] = set()
