"""The floor: which phase each share is in, and what a boundary, a halt or a moved band does to it.

Invariant: a board's phase is the schedule's, unless a halt says otherwise; whoever changes either
calls `_enter`, which does all that belongs to the change, and announces it. An auction that began
to collect is matched before its book trades again.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.exchange.boards import Board
from infra.exchange.breaker import Breaker
from infra.exchange.clock import IST
from infra.exchange.executions import Executions
from infra.exchange.halts import Halt
from infra.exchange.instruments import Instrument, Listing, instrument_of, instrument_row
from infra.exchange.notices import ListingNotice, Notice, PhaseNotice, StatusNotice
from infra.exchange.phases import RULES, Phase
from infra.exchange.register import Order
from infra.exchange.reports import ExecType
from infra.exchange.schedule import Boundary, SecurityClass

#: A closing auction's orders keep within 3 per cent of its reference (SEBI, 16 January 2026).
CLOSING_BAND_PERCENT = 3
_NEVER = datetime.max.replace(tzinfo=UTC)
_LATE_NSE, _LATE_ALL_DAY = (14, 45), (23, 29)
_SECOND = timedelta(seconds=1)


class Floor:
    """All boards. One thread calls it; `Timekeeper` says when things happen.

    `on_day` is called between two trade dates, `on_phase` after a board's phase changed. `changed`
    says that the journal does not have the present state yet.
    """

    def __init__(self, listing: Listing, executions: Executions) -> None:
        self.executions = executions
        self._scheduled = dict.fromkeys(SecurityClass, Phase.CLOSED)
        self.boards = {share.symbol: self._board(share) for share in listing.instruments}
        self.halts: dict[str, Halt] = {}
        self.listed: list[Instrument] = []
        self.on_day: Callable[[], None] = lambda: None
        self.on_phase: Callable[[Board], None] = lambda board: None
        self.changed = False
        self._breaker = Breaker(listing.index.tick)

    @property
    def open(self) -> bool:
        """Whether any share trades continuously now."""
        return any(board.phase is Phase.CONTINUOUS for board in self.boards.values())

    @property
    def trading(self) -> bool:
        """Whether the house has something to do: some share trades, if only at the close."""
        active = (Phase.CONTINUOUS, Phase.POST_CLOSE)
        return any(board.phase in active for board in self.boards.values())

    # -- Phases

    def cross(self, boundary: Boundary) -> None:
        """Let a boundary of the schedule take effect."""
        self.changed = True
        if boundary.new_day:
            self._new_day()
        self._scheduled |= boundary.phases
        for board in self.boards.values():
            if boundary.mark:
                board.mark()
        for symbol, halt in list(self.halts.items()):
            if halt.phase is Phase.REOPENING and not self._continuous(symbol):
                del self.halts[symbol]
        self._enter_all()
        self._announce_phases(boundary)

    def _announce_phases(self, boundary: Boundary) -> None:
        phases = {kind: self._phase_in(kind) for kind in boundary.phases}
        both = len(phases) == len(SecurityClass) and len(set(phases.values())) == 1
        for kind, phase in phases.items():
            notice = PhaseNotice(phase, "" if both else kind, self.executions.time)
            self.executions.announce(notice)
            if both:
                return

    def tell_phase(self, session: str, req_id: str) -> None:
        """Answer a TradingSessionStatusRequest: one status for each class of security."""
        time = self.executions.time
        for kind in SecurityClass:
            notice = PhaseNotice(self._phase_in(kind), kind, time, "", session, req_id)
            self.executions.announce(notice)

    def _phase_in(self, kind: SecurityClass) -> Phase:
        """The phase of a class, apart from halts of single shares."""
        scheduled = self._scheduled[kind]
        halt = self.halts.get("")
        return halt.phase if halt and scheduled is not Phase.CLOSED else scheduled

    def _new_day(self) -> None:
        self.on_day()
        self._breaker.new_day()
        self.halts.pop("", None)
        for board in self.boards.values():
            board.new_day(board.close or board.last or board.base)

    def set_phase(self, phase: Phase) -> None:
        """Put all shares into a phase until the schedule's next boundary."""
        self.cross(Boundary(self.executions.now, dict.fromkeys(SecurityClass, phase)))

    def _enter_all(self) -> None:
        orders: defaultdict[str, list[Order]] = defaultdict(list)
        for order in self.executions.register.open.values():
            orders[order.symbol].append(order)
        for board in self.boards.values():
            self._enter(board, orders[board.symbol])

    def _enter(self, board: Board, orders: list[Order]) -> None:
        """Let the phase that applies now take effect on a board and its open orders."""
        old, new = board.phase, self._phase_of(board)
        if new is old:
            return
        board.phase = new
        if RULES[new].collects:
            board.collecting = True
        elif board.collecting and new is not Phase.HALTED:
            board.collecting = False
            self._uncross(board)
        match new:
            case Phase.CLOSED:
                if old is not Phase.POST_CLOSE and not board.close:
                    board.close = board.average()
                self._end(board, orders, ExecType.EXPIRED, "end of the trading day")
            case Phase.CLOSING_REFERENCE:
                self._begin_closing(board, orders)
            case Phase.CLOSING_MATCH:
                board.close = board.last if board.matched else board.reference or board.average()
                self._end(board, orders, ExecType.CANCELED, "unmatched in the closing auction")
            case Phase.POST_CLOSE if board.close:
                self.move_band(board, board.close, board.close, "post-close session")
            case _:
                pass
        self.on_phase(board)

    def _plan(self, board: Board) -> Phase:
        """The phase a board would be in without a halt."""
        return self._scheduled[board.instrument.security_class]

    def _phase_of(self, board: Board) -> Phase:
        if self._plan(board) is Phase.CLOSED:
            return Phase.CLOSED
        halts = [self.halts[name] for name in ("", board.symbol) if name in self.halts]
        if any(halt.phase is Phase.HALTED for halt in halts):
            return Phase.HALTED
        return Phase.REOPENING if halts else self._plan(board)

    def _uncross(self, board: Board) -> None:
        price = self.executions.uncross(board)
        board.matched = price > 0
        self._announce_status(board, "call auction", price)

    def _begin_closing(self, board: Board, orders: list[Order]) -> None:
        """Make the closing auction's reference and band; disclosed-quantity orders leave."""
        board.reference = board.average()
        hidden = [order for order in orders if order.display]
        self._end(board, hidden, ExecType.CANCELED, "no disclosed quantity in the closing session")
        width = board.reference * CLOSING_BAND_PERCENT // 100
        self.move_band(board, board.reference - width, board.reference + width, "closing session")

    def _end(self, board: Board, orders: list[Order], exec_type: ExecType, text: str) -> None:
        unasked = exec_type is ExecType.CANCELED
        for order in orders:
            if not order.status.final:
                self.executions.end(board, order, exec_type, text, unasked=unasked)

    # -- Halts

    def halt(self, symbol: str, last_s: int | None, auction_s: int, text: str) -> None:
        """Stop a share, or the market (empty symbol): cancels pass, nothing enters or trades.

        After `last_s` seconds (None: when lifted) orders are collected for `auction_s` seconds and
        matched at one price; with 0 trading goes on at once.
        """
        until = None if last_s is None else self.executions.now + timedelta(seconds=last_s)
        self.halts[symbol] = Halt(symbol, until, timedelta(seconds=auction_s), text)
        self._announce_halt(symbol, text)

    def lift(self, symbol: str) -> None:
        """End the halt of a share or of the market; KeyError when there is none."""
        halt = self.halts[symbol]
        halt.until = self.executions.now
        self.end_stage(halt)

    def check_index(self, level: int, previous_close: int) -> None:
        """Halt the market when the index has moved far enough."""
        row = self._breaker.check(level, previous_close, self.executions.now)
        if row is None:
            return
        text = f"the index moved {row.percent} %"
        if row.halt is None:
            self.halt("", None, 0, f"{text}: closed for the day")
        else:
            self.halt("", int(row.halt.total_seconds()), int(row.auction.total_seconds()), text)

    def end_stage(self, halt: Halt) -> None:
        """Go on from a halt whose time is up: to its call auction, or to trading."""
        ended = halt.until or self.executions.now
        if halt.phase is Phase.HALTED and halt.auction and self._continuous(halt.symbol):
            halt.phase, halt.until = Phase.REOPENING, ended + halt.auction
        else:
            del self.halts[halt.symbol]
        self._announce_halt(halt.symbol, halt.text)

    def _continuous(self, symbol: str) -> bool:
        boards = [self.boards[symbol]] if symbol else self.boards.values()
        return any(self._plan(board) is Phase.CONTINUOUS for board in boards)

    def _announce_halt(self, symbol: str, text: str) -> None:
        self._enter_all()
        if symbol:
            self._announce_status(self.boards[symbol], text)
        else:
            halt = self.halts.get("")
            for kind in SecurityClass:
                boards = (b for b in self.boards.values() if b.instrument.security_class is kind)
                board = next(boards, None)
                if board is not None:
                    phase = halt.phase if halt else self._plan(board)
                    self.executions.announce(PhaseNotice(phase, kind, self.executions.time, text))
        self.changed = True

    # -- Bands and listings

    def move_band(self, board: Board, low: int, high: int, text: str) -> None:
        """Move a price band; what rests outside it is cancelled."""
        board.band.place(low, high)
        for order in list(self.executions.register.open.values()):
            outside = order.price is not None and not board.band.holds(order.price)
            if order.symbol == board.symbol and outside:
                text_ = "the price band moved"
                self.executions.end(board, order, ExecType.CANCELED, text_, unasked=True)
        self._announce_status(board, text)
        self.changed = True

    def flexes(self) -> list[tuple[Board, datetime]]:
        """Return the boards whose band is to flex, with the instant."""
        boards = self.boards.values()
        return [(board, board.band.flex_at) for board in boards if board.band.flex_at]

    def cool(self, *, late: bool) -> None:
        """Begin the cooling-off of the bands that are to flex; `late` in the last half hour."""
        flexing, self.executions.flexing = self.executions.flexing, {}
        now = self.executions.now
        for symbol, way in flexing.items():
            self.boards[symbol].band.cool(way, now, now.astimezone(IST).date(), late=late)
        self.changed = True

    def flex(self, board: Board, at: datetime) -> None:
        """Let a band flex whose cooling-off ends; it does not outlast continuous trading."""
        band = board.band
        if self._plan(board) is not Phase.CONTINUOUS:
            band.flex_at = None
            return
        band.flex(at.astimezone(IST).date())
        self.move_band(board, band.low, band.high, "the price band flexed")

    def add_board(self, instrument: Instrument) -> Board:
        """List a new share. It is not traded before `admit_board`."""
        board = self.boards[instrument.symbol] = self._board(instrument)
        self.listed.append(instrument)
        self.executions.announce(ListingNotice(instrument, self.executions.time))
        return board

    def admit_board(self, board: Board) -> None:
        """Put a new share into the phase of its class."""
        self._enter(board, [])
        self._announce_status(board, "listed")
        self.changed = True

    def standing(self) -> list[Notice]:
        """Return what somebody who just came should know: new listings, phases, halts, and bands
        that have moved.
        """
        time = self.executions.time
        notices: list[Notice] = [ListingNotice(share, time) for share in self.listed]
        notices += [PhaseNotice(self._phase_in(kind), kind, time) for kind in SecurityClass]
        for symbol, board in self.boards.items():
            if symbol in self.halts:
                notices.append(self._status(board, self.halts[symbol].text))
            elif board.band_moved:
                notices.append(self._status(board, ""))
        return notices

    def _board(self, instrument: Instrument) -> Board:
        flag = self.executions.register.refresh_keeps_place
        return Board(instrument, instrument.reference_price, refresh_keeps_place=flag)

    def _announce_status(self, board: Board, text: str, price: int = 0) -> None:
        self.executions.announce(self._status(board, text, price))

    def _status(self, board: Board, text: str, price: int = 0) -> StatusNotice:
        band, time = board.band, self.executions.time
        return StatusNotice(board.symbol, board.phase, band.low, band.high, time, text, price)

    # -- The journal

    def state(self) -> dict[str, Any]:
        """Return all that a restart needs, as JSON values."""
        return {
            "scheduled": {kind.value: phase.value for kind, phase in self._scheduled.items()},
            "breaker": self._breaker.reached,
            "listed": [instrument_row(share) for share in self.listed],
            "halts": [halt.row() for halt in self.halts.values()],
            "boards": {symbol: board.figures() for symbol, board in self.boards.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take the floor up where the journal left it."""
        for kind, phase in state["scheduled"].items():
            self._scheduled[SecurityClass(kind)] = Phase(phase)
        self._breaker.reached = state["breaker"]
        self.listed = [instrument_of(row) for row in state["listed"]]
        for share in self.listed:
            self.boards[share.symbol] = self._board(share)
        halts = [Halt.of(row) for row in state["halts"]]
        self.halts = {halt.symbol: halt for halt in halts}
        for symbol, figures in state["boards"].items():
            if symbol in self.boards:
                self.boards[symbol].restore(figures)
        for symbol, board in self.boards.items():
            if symbol not in state["boards"]:  # not traded when the journal was written
                self._enter(board, [])
