"""What the feed shows of one symbol, as FIX market-data entries in the dialect's order of tags.

Invariant: a receiver that applied every entry since a snapshot holds the five best levels and the
day's figures exactly as they are here. Entries are ASCII text; an update in all figures of speed is
one entry. A level is addressed by its position: `new` fills the position after the last, `delete`
empties the last one, `change` overwrites, so that counting shifts or overwriting gives the same.
"""

from infra.exchange.boards import Board
from infra.exchange.book import LevelView, Side
from infra.exchange.prices import format_price
from infra.exchange.tape import Tape

_MAX_TEXTS = 20_000
BID, OFFER = "0", "1"
Levels = list[LevelView]


class _PriceTexts(dict[int, str]):
    """Price texts by price, made when first asked for; emptied when it grows past a bound."""

    def __missing__(self, price: int) -> str:
        if len(self) >= _MAX_TEXTS:
            self.clear()
        text = self[price] = format_price(price)
        return text


class Display:
    """The last published state of one symbol. `board` is None for an index.

    While orders are collected for an auction their book crosses, and no depth is shown.
    """

    def __init__(self, symbol: str, board: Board | None, tape: Tape) -> None:
        self.symbol = symbol
        self.tape = tape
        self._board = board
        self._bids: Levels = []
        self._asks: Levels = []
        self._texts = _PriceTexts()
        self._high = self._low = self._open = 0
        self._heads = {
            (action, kind): f"279={action}\x01269={kind}\x0155={symbol}\x01"
            for action in "012"
            for kind in "012478B5"
        }

    def changes(self) -> list[str]:
        """Return the entries of 35=X by which the book differs from what was last shown."""
        entries: list[str] = []
        board = self._board
        if board is not None:
            bids, asks = board.book.depth(Side.BUY), board.book.depth(Side.SELL)
            if board.collecting:
                bids, asks = [], []
            self._levels(entries, BID, self._bids, bids)
            self._levels(entries, OFFER, self._asks, asks)
            self._bids, self._asks = bids, asks
        return entries

    def trade(self, price: int, quantity: int) -> list[str]:
        """Record a trade (or index level, quantity 0) and return its entries of 35=X."""
        tape, text = self.tape, self._texts[price]
        tape.record(price, quantity)
        entries = [f"{self._heads['0', '2']}270={text}\x01271={quantity}\x01"]
        if quantity:
            entries.append(f"{self._heads['1', 'B']}271={tape.volume}\x01")
        if tape.open != self._open:
            self._open = tape.open
            entries.append(f"{self._heads['1', '4']}270={self._texts[tape.open]}\x01")
        if tape.high != self._high:
            self._high = tape.high
            entries.append(f"{self._heads['1', '7']}270={self._texts[tape.high]}\x01")
        if tape.low != self._low:
            self._low = tape.low
            entries.append(f"{self._heads['1', '8']}270={self._texts[tape.low]}\x01")
        return entries

    def listed(self) -> list[str]:
        """Return the entries that introduce a new symbol."""
        close = self._texts[self.tape.previous_close]
        return [f"{self._heads['1', '5']}270={close}\x01"]

    def roll(self, closing_price: int) -> list[str]:
        """Begin a trade date: return the new previous close and volume as entries of 35=X."""
        self.tape.roll(closing_price)
        self._high = self._low = self._open = 0
        close = self._texts[self.tape.previous_close]
        entries = [f"{self._heads['1', '5']}270={close}\x01"]
        entries += [self._heads["2", kind] for kind in "478"]
        entries.append(f"{self._heads['1', 'B']}271=0\x01")
        return entries

    def snapshot(self) -> list[str]:
        """Return the entries of 35=W: what was last shown, never ahead of the entries sent."""
        tape, texts = self.tape, self._texts
        entries = [
            f"269={kind}\x01270={texts[price]}\x01271={quantity}\x01290={position}\x01"
            for kind, levels in ((BID, self._bids), (OFFER, self._asks))
            for position, (price, quantity) in enumerate(levels, start=1)
        ]
        entries.append(f"269=5\x01270={texts[tape.previous_close]}\x01")
        if tape.last:
            entries.append(f"269=2\x01270={texts[tape.last]}\x01271={tape.last_quantity}\x01")
            entries.append(f"269=4\x01270={texts[tape.open]}\x01")
            entries.append(f"269=7\x01270={texts[tape.high]}\x01")
            entries.append(f"269=8\x01270={texts[tape.low]}\x01")
        if self._board is not None:
            entries.append(f"269=B\x01271={tape.volume}\x01")
        return entries

    def _levels(self, entries: list[str], kind: str, shown: Levels, now: Levels) -> None:
        texts, head = self._texts, self._heads["1", kind]
        for position, (old, new) in enumerate(zip(shown, now, strict=False), start=1):
            if old != new:
                price, quantity = new
                entries.append(f"{head}270={texts[price]}\x01271={quantity}\x01290={position}\x01")
        head = self._heads["0", kind]
        for position in range(len(shown) + 1, len(now) + 1):
            price, quantity = now[position - 1]
            entries.append(f"{head}270={texts[price]}\x01271={quantity}\x01290={position}\x01")
        head = self._heads["2", kind]
        for position in range(len(shown), len(now), -1):
            text = texts[shown[position - 1][0]]
            entries.append(f"{head}270={text}\x01271=0\x01290={position}\x01")
