"""Candles of a minute, made of the trades that the book is told.

Flow: the book asks which minute a message is of, and says when a symbol's first trade of another
minute comes; once a second `ended` hands over what is complete. Invariant: a minute is of the
business clock at the exchange's time of the entries; a minute that was handed over and is traded in
again is handed over again, whole, so that the later copy can replace the earlier one. What a
snapshot tells of the past opens no minute, and its volume counts only for a minute that is open.
"""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from edge.runtime.log import logger
from functions.shared.clock import from_micros, micros
from functions.shared.settings import SettingsError
from functions.shared.stores.candles import Candle

if TYPE_CHECKING:
    from edge.ingest.book import SymbolState

#: For so long the clock's answer is good; its file is looked at no more often anyway.
LOOK_MS: Final = 100
#: The exchange's clock and ours may differ by that much before a minute is handed over twice.
GRACE_MS: Final = 2_000
_SECOND_MS: Final = 1_000
_MINUTE_US: Final = 60_000_000


class OpenMinute:
    """A symbol's latest minute with a trade: its prices in ten-thousandths of a rupee, its `trades`
    and how many of them were `told` of when it was last handed over, and the day's figures as it
    began."""

    __slots__ = ("first", "highest", "lowest", "number", "quantity", "told", "trades", "turnover",
                 "volume")  # fmt: skip

    def __init__(self) -> None:
        self.number = self.first = self.highest = self.lowest = self.trades = self.told = 0
        self.volume = self.quantity = self.turnover = 0


class Minutes:
    """Which minute it is, and the candles that are complete. `business` gives the business time at
    a wall time; `most`: complete candles kept for whoever takes them, the newest ones."""

    def __init__(self, business: Callable[[datetime], datetime], most: int) -> None:
        self._business = business
        self._complete: deque[Candle] = deque(maxlen=most)
        self._minute = self._since_ms = self._until_ms = 0
        self._ahead_us, self._pace_us = 0, _SECOND_MS * 1_000
        self.dropped = 0

    def of(self, exchange_ms: int) -> int:
        """The minute since 1970, of the business clock, at a time of the exchange."""
        if self._since_ms <= exchange_ms < self._until_ms:
            return self._minute
        return self._look(exchange_ms)

    def trade(self, state: "SymbolState", minute: int, price: int) -> None:
        """A trade, before the symbol's own figures count it."""
        its = state.minute
        if its.number != minute:
            self.complete(state)
            its.number, its.first, its.highest, its.lowest = minute, price, price, price
            its.trades = its.told = 0
            its.volume, its.quantity, its.turnover = state.volume, state.traded, state.turnover
        its.trades += 1
        if price > its.highest:
            its.highest = price
        elif price < its.lowest:
            its.lowest = price

    def seen(self, state: "SymbolState", minute: int, volume: int) -> None:
        """A snapshot has told the symbol's figures; `volume`: the day's before it. Of an open
        minute it may tell that there were trades; the rest was traded while nobody looked."""
        its = state.minute
        if its.number == minute and state.volume > volume:
            its.trades += 1
            its.highest, its.lowest = max(its.highest, state.ltp), min(its.lowest, state.ltp)

    def complete(self, state: "SymbolState") -> None:
        """Keeps the symbol's minute as it stands, if anything is new of it."""
        its = state.minute
        if its.trades == its.told:
            return
        its.told = its.trades
        if len(self._complete) == self._complete.maxlen:
            self.dropped += 1
        self._complete.append(_candle(state))

    def ended(self, states: Iterable["SymbolState"], wall_ms: int) -> list[Candle]:
        """What is complete by now: the minutes that are over, as they stand."""
        now = self.of(wall_ms - GRACE_MS)
        for state in states:
            if state.minute.trades != state.minute.told and state.minute.number < now:
                self.complete(state)
        return self._take()

    def all(self, states: Iterable["SymbolState"]) -> list[Candle]:
        """What there is, with the minutes that are not over: nobody will be here to see the end."""
        for state in states:
            self.complete(state)
        return self._take()

    def _take(self) -> list[Candle]:
        taken = list(self._complete)
        self._complete.clear()
        return taken

    def _look(self, exchange_ms: int) -> int:
        moment_us = exchange_ms * 1_000
        try:
            here = micros(self._business(from_micros(moment_us)))
            then = micros(self._business(from_micros(moment_us + _SECOND_MS * 1_000)))
        except (SettingsError, OSError) as error:  # it goes on as it went
            logger(__name__).warning("the clock can't be read", detail=str(error))
            here = moment_us + self._ahead_us
        else:
            self._ahead_us, self._pace_us = here - moment_us, then - here
        self._minute, into = divmod(here, _MINUTE_US)
        self._since_ms, self._until_ms = exchange_ms, exchange_ms + LOOK_MS
        if self._pace_us > 0:
            left_ms = -(-(_MINUTE_US - into) * _SECOND_MS // self._pace_us)
            self._until_ms = exchange_ms + min(LOOK_MS, left_ms)
        return self._minute


def _candle(state: "SymbolState") -> Candle:
    """Volume is the growth of the day's, which counts trades that were missed, too; what no trade
    told of is valued at the last price."""
    its = state.minute
    told = state.traded - its.quantity
    volume = max(state.volume - its.volume, told)
    turnover = state.turnover - its.turnover + (volume - told) * state.ltp
    return Candle(
        state.symbol, its.number, its.first, its.highest, its.lowest, state.ltp, volume, turnover,
        its.trades,
    )  # fmt: skip
