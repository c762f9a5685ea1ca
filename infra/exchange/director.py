"""Makes actions happen: prices, halts, listings, busts, from a market file or the control port.

Invariant: an event of the market file happens once, in order, whenever the clock passes its
instant; one whose instant had passed when the file was first seen happens at once. What is under
way (a price on its way, how far the file was played) is in `state`, which the journal keeps.
"""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.exchange import amendments
from infra.exchange.actions import (
    Action,
    AmendTrade,
    BookLate,
    DelayReports,
    HaltTrading,
    LiftHalt,
    ListShare,
    MoveBand,
    MovePrice,
    SetPhase,
)
from infra.exchange.amendments import Refused
from infra.exchange.floor import Floor
from infra.exchange.market_file import Event, MarketFile
from infra.exchange.trading_day import TradingDay


@dataclass(frozen=True, slots=True)
class Move:
    """A share's fair value on its way, in a straight line."""

    symbol: str
    first: float
    last: float
    begin: datetime
    end: datetime

    def at(self, now: datetime) -> float:
        """Return the value at an instant."""
        if now >= self.end:
            return self.last
        return self.first + (self.last - self.first) * (
            (now - self.begin) / (self.end - self.begin)
        )


class Director:
    """Carries out actions on one venue. The matching thread calls it."""

    def __init__(self, floor: Floor, day: TradingDay, script: MarketFile | None) -> None:
        self._floor = floor
        self._day = day
        self._fingerprint = script.fingerprint if script else ""
        self._events: list[Event] = list(script.events) if script else []
        self._start: datetime | None = None
        self._played = 0
        self._moves: dict[str, Move] = {}
        self.delays: dict[str, datetime] = {}
        self.failed = 0

    # -- The market file

    def next_at(self, now: datetime) -> datetime | None:
        """Return the instant of the file's next event; the first look begins to count its spans."""
        if self._start is None:
            self._start = start = now
            self._events.sort(key=lambda event: event.instant(start))
            self._floor.changed = True
        if self._played == len(self._events):
            return None
        return self._events[self._played].instant(self._start)

    def play(self, at: datetime) -> None:
        """Let the next event happen. One that does not fit the venue is told of and passed by."""
        event = self._events[self._played]
        self._played += 1
        error = self.attempt(event.action)
        if error:
            self.failed += 1
            print(f"exchange: market file, line {event.line}: {error}", file=sys.stderr)  # noqa: T201

    def attempt(self, action: Action) -> str:
        """Carry out an action; return why it could not be, or nothing."""
        self._floor.changed = True
        try:
            self._do(action)
        except Refused as error:
            return str(error)
        return ""

    # -- Prices on their way

    def move(self, now: datetime) -> None:
        """Put the prices that are on their way to where they are by now."""
        for symbol, move in list(self._moves.items()):
            self._day.market.move(self._day.symbols.index(symbol), move.at(now))
            if now >= move.end:
                del self._moves[symbol]

    def state(self) -> dict[str, Any]:
        """Return what a restart needs, as JSON values."""
        return {
            "file": self._fingerprint,
            "start": self._start.isoformat() if self._start else "",
            "played": self._played,
            "moves": [
                [m.symbol, m.first, m.last, m.begin.isoformat(), m.end.isoformat()]
                for m in self._moves.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the journal says; another file than before begins anew."""
        for symbol, first, last, begin, end in state["moves"]:
            span = datetime.fromisoformat(begin), datetime.fromisoformat(end)
            self._moves[symbol] = Move(symbol, first, last, *span)
        if state["file"] == self._fingerprint and state["start"]:
            self.next_at(datetime.fromisoformat(state["start"]))
            self._played = state["played"]

    # -- Actions

    def _do(self, action: Action) -> None:
        match action:
            case MovePrice():
                self._move_price(action)
            case ListShare(share):
                if share.symbol in self._day.displays:
                    raise Refused(f"{share.symbol} is listed already")
                self._day.list_share(share)
            case AmendTrade():
                self._amend(action)
            case BookLate(cl_ord_id, quantity, price):
                amendments.book_late(self._floor, cl_ord_id, quantity, price)
            case DelayReports(session, for_s):
                until = self._floor.executions.now + timedelta(seconds=for_s)
                self.delays[session] = until
            case _:
                self._govern(action)

    def _govern(self, action: HaltTrading | LiftHalt | SetPhase | MoveBand) -> None:
        """Change what the floor allows."""
        floor = self._floor
        match action:
            case HaltTrading(symbol, last_s, auction_s, text):
                self._check_symbol(symbol)
                floor.halt(symbol, last_s, auction_s, text)
            case LiftHalt(symbol):
                if symbol not in floor.halts:
                    raise Refused(f"{symbol or 'the market'} is not halted")
                floor.lift(symbol)
            case SetPhase(phase):
                floor.set_phase(phase)
            case MoveBand(symbol, low, high):
                self._check_symbol(symbol)
                floor.move_band(floor.boards[symbol], low, high, "the price band was moved")

    def _move_price(self, action: MovePrice) -> None:
        self._check_symbol(action.symbol)
        market, symbols = self._day.market, self._day.symbols
        begin = self._floor.executions.now
        end = begin + timedelta(seconds=action.over_s)
        factor = action.to.of(market.index_level()) / market.index_level()
        for place, symbol in enumerate(symbols):
            if action.symbol in {"", symbol}:
                present = market.fair_values[place]
                last = action.to.of(present) if action.symbol else present * factor
                self._moves[symbol] = Move(symbol, present, last, begin, end)
        self.move(begin)

    def _amend(self, action: AmendTrade) -> None:
        executions = self._floor.executions
        if action.exec_id:
            trade = amendments.find_trade(executions, action.exec_id)
        else:
            trade = amendments.last_trade(executions, action.last_of)
        if action.quantity:
            amendments.correct(self._floor, trade, action.price, action.quantity, action.text)
        else:
            amendments.bust(self._floor, trade, action.text)

    def _check_symbol(self, symbol: str) -> None:
        if symbol and symbol not in self._floor.boards:
            raise Refused(f"{symbol} is not listed")
