"""House liquidity: seeded market makers and takers in the same books that clients trade in.

At each visit of a symbol the makers quote five levels either side of the market's fair value, one
tick apart, and now and then a taker hits the best price. Their quotes are resting orders under
price-time priority: a client's order queues behind or before them, a taker that reaches it fills
it, and a new quote that would cross it trades with it first. Deterministic for a seed and the
visits. The house has no account, so its own trades are prints and no reports.
"""

import random

from infra.exchange.boards import Board
from infra.exchange.book import DEPTH, RestingOrder, Side
from infra.exchange.engine import Engine
from infra.exchange.floor import Floor
from infra.exchange.instruments import Instrument
from infra.exchange.market import Market
from infra.exchange.phases import Phase
from infra.exchange.prices import SCALE

# A level shows about 25 lakh rupees' worth, more further from the best price.
LEVEL_VALUE = 2_500_000 * SCALE
LEVEL_GROWTH_PERCENT = 35
TAKE_CHANCE = 0.3
# In an auction the makers bid and offer at this many ticks either side of the fair value.
AUCTION_OVERLAP = 3
_POOL = 8192

Quotes = dict[int, RestingOrder]


class House:
    """Quotes and trades of the house in every symbol. One thread calls it."""

    def __init__(self, floor: Floor, engine: Engine, market: Market, seed: int) -> None:
        self._engine = engine
        self._market = market
        self._boards: list[Board] = []
        self._place: dict[str, int] = {}
        self._bids: list[Quotes] = []
        self._asks: list[Quotes] = []
        self._best_bid: list[int] = []
        for board in floor.boards.values():
            self.add(board)
        rng = random.Random(seed)
        # Drawn once and walked round and round: a draw is then a list access.
        self._draws = [rng.random() for _ in range(_POOL)]
        self._draw = 0

    def add(self, board: Board) -> None:
        """Take a share up, at the end of the listing."""
        self._place[board.symbol] = len(self._boards)
        self._boards.append(board)
        self._bids.append({})
        self._asks.append({})
        self._best_bid.append(0)

    def visit(self, place: int) -> None:
        """Let the house act once in the symbol at this place of the listing."""
        phase = self._boards[place].phase
        if phase is Phase.CONTINUOUS:
            if self._next() < TAKE_CHANCE:
                self._take(place)
            self.quote(place)
        elif phase is Phase.POST_CLOSE:
            self._take(place)

    def enter(self, board: Board) -> None:
        """Follow a board into its phase: other quotes, or none."""
        place = self._place[board.symbol]
        if board.phase in {Phase.HALTED, Phase.PRE_OPEN_MATCH}:
            return
        for quotes in (self._bids[place], self._asks[place]):
            for quote in quotes.values():
                if quote.leaves:
                    board.book.remove(quote)
            quotes.clear()
        self._best_bid[place] = 0
        if board.phase is Phase.CONTINUOUS:
            self.quote(place)
        elif board.rules.collects:
            self._quote_auction(place)

    def quote(self, place: int) -> None:
        """Let the makers requote the symbol around its fair value."""
        best_bid = self._fair_bid(place)
        if best_bid != self._best_bid[place]:
            self._best_bid[place] = best_bid
            self._leave(place, best_bid)
        else:
            self._fade(place)
        self._fill_levels(place, best_bid)

    def _fair_bid(self, place: int) -> int:
        """Return the best bid around the fair value, or at an end of the band beyond it."""
        board = self._boards[place]
        tick = board.instrument.tick
        fair = int(self._market.fair_values[place] // tick) * tick
        return min(max(fair, board.band.low - tick), board.band.high)

    def _quote_auction(self, place: int) -> None:
        board = self._boards[place]
        tick, fair = board.instrument.tick, self._fair_bid(place)
        for side, quotes in ((Side.BUY, self._bids[place]), (Side.SELL, self._asks[place])):
            for level in range(-AUCTION_OVERLAP, AUCTION_OVERLAP + 1):
                price = fair + level * tick
                if board.band.holds(price):
                    size = self._size(board.instrument, price, abs(level))
                    quotes[price] = RestingOrder(side, price, size)
                    board.book.rest(quotes[price])

    def _next(self) -> float:
        self._draw = (self._draw + 1) % _POOL
        return self._draws[self._draw]

    def _take(self, place: int) -> None:
        """Hit the best bid or lift the best offer, usually for part of it."""
        board = self._boards[place]
        side = Side.BUY if self._next() < 0.5 else Side.SELL
        best = board.book.depth(side.other, 1)
        if best:
            quantity = max(1, int(best[0][1] * self._next() * 1.2))
            self._engine.trade_house(side, board.symbol, best[0][0], quantity)

    def _leave(self, place: int, best_bid: int) -> None:
        """Withdraw the quotes that are no longer among the five levels of their side."""
        board = self._boards[place]
        book, reach = board.book, DEPTH * board.instrument.tick
        for quotes, low, high in (
            (self._bids[place], best_bid - reach, best_bid),
            (self._asks[place], best_bid, best_bid + reach),
        ):
            for price in [price for price in quotes if not low < price <= high]:
                quote = quotes.pop(price)
                if quote.leaves:
                    book.remove(quote)

    def _fade(self, place: int) -> None:
        """Change the sizes of the quotes, as makers do while the price stands still."""
        board, best_bid = self._boards[place], self._best_bid[place]
        instrument, resize = board.instrument, board.book.resize
        for quotes in (self._bids[place], self._asks[place]):
            for price, quote in quotes.items():
                if quote.leaves:
                    level = abs(price - best_bid) // instrument.tick
                    resize(quote, self._size(instrument, price, level))

    def _fill_levels(self, place: int, best_bid: int) -> None:
        """Place what is missing of five levels a side, inside the band."""
        board = self._boards[place]
        instrument, low, high = board.instrument, board.band.low, board.band.high
        bids, asks, tick = self._bids[place], self._asks[place], instrument.tick
        for level in range(DEPTH):
            price = best_bid - level * tick
            quote = bids.get(price)
            if (quote is None or not quote.leaves) and price >= low:
                self._put(board, Side.BUY, price, level, bids)
            price = best_bid + (level + 1) * tick
            quote = asks.get(price)
            if (quote is None or not quote.leaves) and price <= high:
                self._put(board, Side.SELL, price, level, asks)

    def _put(self, board: Board, side: Side, price: int, level: int, quotes: Quotes) -> None:
        book = board.book
        size = self._size(board.instrument, price, level)
        opposite = book.best(side.other)
        if opposite is not None and (opposite <= price if side is Side.BUY else opposite >= price):
            size -= self._engine.trade_house(side, board.symbol, price, size)
        if size:
            quotes[price] = RestingOrder(side, price, size)
            book.rest(quotes[price])

    def _size(self, instrument: Instrument, price: int, level: int) -> int:
        usual = LEVEL_VALUE // price * (100 + LEVEL_GROWTH_PERCENT * level) // 100
        shares = int(usual * (0.3 + 1.4 * self._next()))
        return max(shares // instrument.lot, 1) * instrument.lot
