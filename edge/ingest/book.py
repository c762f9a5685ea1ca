"""The last-value book: what is known of each symbol, and which symbols changed since last asked.

Invariant: an entry only ever sets values, by symbol, type and position, so that the newest entry
wins whatever was missed before it, and a burst costs memory for its symbols, not for its length.
A number that does not parse ends the message, not the book: nothing of that entry is kept.
"""

from collections.abc import Iterable, Mapping

from edge.ingest.entries import (
    BID,
    DELETE,
    NEW,
    OFFER,
    OPENING,
    PREVIOUS_CLOSE,
    SESSION_HIGH,
    SESSION_LOW,
    TRADE,
    VOLUME,
    Entry,
)
from edge.ingest.limits import DEFAULTS
from edge.ingest.minutes import Minutes, OpenMinute
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.money import NotADecimal, divide_half_up, parse_price
from functions.shared.wire.day_figures import DayFigures
from functions.shared.wire.quotes import (
    LEVEL_WIDTH,
    LEVELS,
    NO_LEVELS,
    SYMBOL_BYTES_MAX,
    Quote,
    encode_record,
    partition_of_symbol,
)

_PRICES_MAX = 200_000
_INTEGERS_MAX = 50_000
_DIGITS_MAX = 15

#: Where a side's position starts in the flat levels.
_OFFSETS: Mapping[tuple[bytes, bytes], int] = {
    (side, b"%d" % position): (first + position - 1) * LEVEL_WIDTH
    for side, first in ((BID, 0), (OFFER, LEVELS))
    for position in range(1, LEVELS + 1)
}


_SIDES = frozenset({BID, OFFER})
#: The figures that are one price each.
_DAY_PRICES: Mapping[bytes, str] = {
    OPENING: "open",
    PREVIOUS_CLOSE: "close",
    SESSION_HIGH: "high",
    SESSION_LOW: "low",
}


class _Prices(dict[bytes, int]):
    """Decimal text to ten-thousandths, remembered: a market quotes few prices again and again."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _PRICES_MAX:
            self.clear()
        try:
            value = parse_price(text.decode("ascii"))
        except (NotADecimal, UnicodeDecodeError) as error:
            raise PeerProtocolError(f"MDEntryPx(270) is {text[:30]!r}") from error
        if value < 0:
            raise PeerProtocolError(f"MDEntryPx(270) is {text[:30]!r}")
        self[text] = value
        return value


class _Integers(dict[bytes, int]):
    """Digits to integers, remembered. An absent value is 0."""

    def __missing__(self, text: bytes) -> int:
        if len(text) > _DIGITS_MAX:
            raise PeerProtocolError(f"a size or count of {len(text)} digits")
        if len(self) >= _INTEGERS_MAX:
            self.clear()
        value = self[text] = int(text or b"0")
        return value


class SymbolState:
    """The last values of one symbol; prices in ten-thousandths of a rupee."""

    __slots__ = (
        "close", "day_moved", "high", "last_quantity", "levels", "low", "ltp", "minute", "open",
        "partition", "seq", "symbol", "timestamp_ms", "token", "traded", "turnover", "volume",
    )  # fmt: skip

    def __init__(self, symbol: str, token: int, first_seq: int) -> None:
        self.symbol, self.token, self.seq = symbol, token, first_seq
        self.partition = partition_of_symbol(symbol)
        self.timestamp_ms = self.ltp = self.last_quantity = self.close = 0
        self.levels = list(NO_LEVELS)
        self.minute = OpenMinute()
        self.start_day()

    def start_day(self) -> None:
        """Forgets what belongs to one trading day."""
        self.open = self.high = self.low = self.volume = 0
        self.turnover = self.traded = 0
        self.day_moved = False

    def trade(self, price: int, quantity: int) -> None:
        """A trade, or an index level with quantity 0."""
        self.ltp, self.last_quantity = price, quantity
        self.turnover += price * quantity
        self.traded += quantity
        if price > self.high:
            self.high = price
        if price < self.low or not self.low:
            self.low = price
        if not self.open:
            self.open = price

    def take_day_figures(self) -> DayFigures | None:
        """The day's figures, if they moved since this was last asked and there was a trade."""
        if not self.day_moved or not self.open:
            return None
        self.day_moved = False
        return DayFigures(
            open=self.open, high=self.high, low=self.low, close=self.ltp, volume=self.volume
        )

    def record(self) -> bytes:
        """The next numbered record of this symbol."""
        self.seq += 1
        average = divide_half_up(self.turnover, self.traded) if self.traded else 0
        return encode_record(
            Quote(
                self.symbol, self.token, self.seq, self.timestamp_ms, self.ltp, self.last_quantity,
                self.open, self.high, self.low, self.close, self.volume, average,
                tuple(self.levels),
            )
        )  # fmt: skip


class Book:
    """All symbols, `symbols_most` of them. `first_seq` must exceed every sequence number an earlier
    holder gave out; `minutes` makes candles of the trades, None when nobody keeps them."""

    def __init__(
        self,
        tokens: Mapping[str, int],
        first_seq: int = 0,
        minutes: Minutes | None = None,
        symbols_most: int = DEFAULTS.symbols,
    ) -> None:
        self._tokens, self._first_seq, self._minutes = dict(tokens), first_seq, minutes
        self._symbols_most = symbols_most
        self._states: dict[bytes, SymbolState] = {}
        self._dirty: set[SymbolState] = set()
        self._prices, self._integers = _Prices(), _Integers()
        self.updates = 0

    def take_in(self, symbol: str, token: int) -> None:
        """A share is listed from now on."""
        self._tokens[symbol] = token

    def apply(self, entries: Iterable[Entry], timestamp_ms: int) -> None:
        """Takes the entries of a 35=X. Raises PeerProtocolError at the first unreadable one."""
        minute = 0 if self._minutes is None else self._minutes.of(timestamp_ms)
        self._take(entries, timestamp_ms, minute)

    def _take(self, entries: Iterable[Entry], timestamp_ms: int, minute: int) -> None:
        """Takes entries; their trades are of that minute, or of none: 0."""
        states, dirty = self._states, self._dirty
        prices, integers, offsets = self._prices, self._integers, _OFFSETS
        count = 0
        for action, kind, symbol, price, size, position, orders in entries:
            state = states.get(symbol) or self._add(symbol)
            count += 1
            if kind in _SIDES:
                at = offsets.get((kind, position))
                if at is None:
                    raise PeerProtocolError(f"MDEntryPositionNo(290) is {position[:9]!r}")
                if action == DELETE:
                    state.levels[at : at + LEVEL_WIDTH] = (0, 0, 0)
                else:
                    step = (prices[price], integers[size], integers[orders])
                    state.levels[at : at + LEVEL_WIDTH] = step
            else:
                self._figure(state, action, kind, price, size, minute)
            state.timestamp_ms = timestamp_ms
            dirty.add(state)
        self.updates += count

    def replace(self, symbol: bytes, entries: Iterable[Entry], timestamp_ms: int) -> None:
        """Takes a 35=W: the symbol's levels are those told, the day's figures as told."""
        state = self._states.get(symbol) or self._add(symbol)
        state.levels[:] = NO_LEVELS
        told: list[Entry] = [(NEW, entry[1], symbol, *entry[3:]) for entry in entries]
        if self._minutes is None:
            self._take(told, timestamp_ms, 0)
            return
        minute, volume = self._minutes.of(timestamp_ms), state.volume
        if state.minute.number != minute:
            self._minutes.complete(state)
        self._take(told, timestamp_ms, 0)
        self._minutes.seen(state, minute, volume)

    def take_dirty(self) -> set[SymbolState]:
        """The symbols that changed since this was last asked."""
        taken, self._dirty = self._dirty, set()
        return taken

    def mark(self, states: Iterable[SymbolState]) -> None:
        """Marks these as changed: what was published of them did not get there."""
        for state in states:
            state.day_moved = True
            self._dirty.add(state)

    def mark_all(self) -> None:
        """Marks every symbol as changed: what was published before may be lost."""
        self.mark(self._states.values())

    def number_from(self, first_seq: int) -> None:
        """Gives out numbers above this one from now on, and everything anew."""
        self._first_seq = first_seq
        for state in self._states.values():
            state.seq = max(state.seq, first_seq)
        self.mark_all()

    def find(self, symbol: str) -> SymbolState | None:
        """What is known of one symbol."""
        return self._states.get(symbol.encode())

    def states(self) -> Iterable[SymbolState]:
        """Every symbol that anything is known of."""
        return self._states.values()

    def _figure(
        self, state: SymbolState, action: bytes, kind: bytes, price: bytes, size: bytes, minute: int
    ) -> None:
        """One of the day's figures. A deleted one is unknown from then on: a day began."""
        state.day_moved = True
        if kind == TRADE:
            if action != DELETE:
                value = self._prices[price]
                if minute and self._minutes is not None:
                    self._minutes.trade(state, minute, value)
                state.trade(value, self._integers[size])
        elif kind == VOLUME:
            volume = self._integers[size]
            if volume < state.volume:
                self._start_day(state)
            state.volume = volume
        elif (name := _DAY_PRICES.get(kind)) is not None:
            setattr(state, name, 0 if action == DELETE else self._prices[price])
            if kind == PREVIOUS_CLOSE and not state.ltp:
                state.ltp = state.close  # until the first trade, as every broker shows it

    def _start_day(self, state: SymbolState) -> None:
        if self._minutes is not None:
            self._minutes.complete(state)
        state.start_day()
        state.minute = OpenMinute()

    def _add(self, symbol: bytes) -> SymbolState:
        if len(symbol) > SYMBOL_BYTES_MAX or len(self._states) >= self._symbols_most:
            raise PeerProtocolError(f"Symbol(55) is {symbol[:30]!r}, the book's bounds are passed")
        try:
            name = symbol.decode()
        except UnicodeDecodeError as error:
            raise PeerProtocolError(f"Symbol(55) is {symbol[:30]!r}") from error
        state = SymbolState(name, self._tokens.get(name, 0), self._first_seq)
        self._states[symbol] = state
        return state
