"""The public side of the day: house visits at the chosen rate, displays, tapes and the day's roll.

Invariant: whatever happened in a book reaches the feed batch before the next request is handled, as
prints first and then the levels they left. Rate is in entries a second over all symbols, open loop:
what clients cause counts too, and the house fills the rest.
"""

from infra.exchange.boards import Board
from infra.exchange.display import Display
from infra.exchange.engine import Engine
from infra.exchange.executions import Print
from infra.exchange.feed_server import Batch
from infra.exchange.floor import Floor
from infra.exchange.house import House
from infra.exchange.instruments import Instrument, Listing
from infra.exchange.market import STEP_S, Market
from infra.exchange.reports import Report
from infra.exchange.tape import Tape

# A stall longer than this is not made up for: the entries it would have had are counted as shed.
# What clients cause beyond the rate holds the house back for no longer than this either.
MAX_CREDIT_S = 0.25
# The most entries made at one go, so that an order never waits long for the market.
SLICE_ENTRIES = 250


class TradingDay:
    """One venue's market, driven by `advance` and drained by `take_batch`. One thread calls it."""

    def __init__(
        self, listing: Listing, floor: Floor, engine: Engine, *, rate: int, seed: int
    ) -> None:
        self._floor = floor
        self._executions = floor.executions
        self._rate = rate
        self.market = Market(listing, seed)
        self._house = House(floor, engine, self.market, seed)
        self.displays: dict[str, Display] = {}
        self._symbols: list[str] = []
        self._index = Display(listing.index.symbol, None, Tape(listing.index.reference_price))
        for board in floor.boards.values():
            self._show_board(board)
            if board.instrument not in listing.instruments:
                self.market.add(board.instrument)
        self.displays[listing.index.symbol] = self._index
        self._cursor = 0
        self._credit = 0.0
        self._market_time = 0.0
        self._batch: Batch = []
        self._moved: set[str] = set()
        self.entries = 0
        self.shed = 0
        floor.on_phase = self._enter

    @property
    def symbols(self) -> list[str]:
        """The shares in the order of the market's fair values."""
        return self._symbols

    def list_share(self, share: Instrument) -> None:
        """Begin to trade a new share; ValueError when its symbol is taken."""
        if share.symbol in self.displays:
            raise ValueError(f"{share.symbol} is listed already")
        self.market.add(share)
        self._floor.add_board(share)
        board = self._floor.boards[share.symbol]
        self._show_board(board)
        self._house.add(board)
        self._add(share.symbol, self.displays[share.symbol].listed())
        self._floor.admit_board(board)

    def _show_board(self, board: Board) -> None:
        self._symbols.append(board.symbol)
        tape = Tape(board.instrument.reference_price)
        self.displays[board.symbol] = Display(board.symbol, board, tape)

    def restore(self, figures: dict[str, list[int]]) -> None:
        """Take the tapes up where the journal left them, and the market from its last prices."""
        for symbol, values in figures.items():
            if symbol in self.displays:
                self.displays[symbol].tape.restore(values)
        self._anchor()

    def roll(self) -> None:
        """Begin a trade date: closing prices become previous closes, and the market's anchors."""
        for symbol, display in self.displays.items():
            board = self._floor.boards.get(symbol)
            self._add(symbol, display.roll(board.close if board else 0))
        self._anchor()

    def _anchor(self) -> None:
        tapes = [self.displays[symbol].tape for symbol in self._symbols]
        lasts = [tape.last or tape.previous_close for tape in tapes]
        self.market.anchor([tape.previous_close for tape in tapes], lasts)

    def figures(self) -> dict[str, list[int]]:
        """Return the day's figures of every symbol, for the journal."""
        return {symbol: display.tape.figures() for symbol, display in self.displays.items()}

    def open_books(self) -> None:
        """Let the makers quote every symbol, so that no book is empty."""
        for board in self._floor.boards.values():
            self._enter(board)

    def _enter(self, board: Board) -> None:
        self._house.enter(board)
        self._moved.add(board.symbol)

    def advance(self, elapsed_s: float) -> None:
        """Let `elapsed_s` seconds of market time pass; `work` then spends what they allow."""
        if self._floor.open:  # after the close fair values stand still
            self._market_time += elapsed_s
        while self._market_time >= STEP_S:
            self._market_time -= STEP_S
            self.market.step()
        self._credit += elapsed_s * self._rate
        excess = int(self._credit - MAX_CREDIT_S * self._rate - SLICE_ENTRIES)
        if excess > 0:
            self._credit -= excess
            self.shed += excess
        self._credit = max(self._credit, -MAX_CREDIT_S * self._rate)

    def work(self) -> tuple[list[Report], bool]:
        """Visit symbols for one slice of entries.

        Return the reports of client orders that the house traded with, and whether more entries are
        due now.
        """
        reports: list[Report] = []
        before = self.entries
        target = before + SLICE_ENTRIES
        for _ in range(SLICE_ENTRIES):
            if self._credit <= 0 or self.entries >= target:
                break
            reports += self._visit()
        if self.entries == before:  # nobody has anything to do, as in the post-close session
            self._credit = min(self._credit, 0.0)
        return reports, self._credit > 0

    def _visit(self) -> list[Report]:
        place = self._cursor
        self._cursor = (place + 1) % (len(self._symbols) + 1)
        if place == len(self._symbols):
            self._visit_index()
            return []
        self._house.visit(place)
        reports, prints = self._executions.drain()
        self.show(prints, {self._symbols[place]})
        return reports

    def _visit_index(self) -> None:
        level = self.market.index_level()
        tape = self._index.tape
        if level != tape.last and self._floor.open:
            self._add(self._index.symbol, self._index.trade(level, 0))
            self._floor.check_index(level, tape.previous_close)

    def show(self, prints: list[Print], touched: set[str]) -> None:
        """Put trades, then changed levels, into the batch."""
        for symbol, price, quantity in prints:
            self._add(symbol, self.displays[symbol].trade(price, quantity))
            touched.add(symbol)
        touched |= self._moved
        self._moved.clear()
        for symbol in touched:
            display = self.displays.get(symbol)
            if display is not None:
                self._add(symbol, display.changes())

    def _add(self, symbol: str, entries: list[str]) -> None:
        if entries:
            self._batch.append((symbol, entries))
            self.entries += len(entries)
            self._credit -= len(entries)

    def take_batch(self) -> Batch:
        """Return the entries since the last call."""
        batch, self._batch = self._batch, []
        return batch
