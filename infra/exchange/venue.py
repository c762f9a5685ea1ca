"""The matching thread: everything that happens at the venue happens here, one thing after another.

Each turn takes waiting requests, decides them, writes the reports to the journal, hands them to the
FIX sessions and shows the public what changed. Invariant: no report leaves before its journal line
is written, and no entry is published ahead of the reports of the trades it shows.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from infra.exchange.clock import BusinessClock
from infra.exchange.director import Director
from infra.exchange.engine import Engine
from infra.exchange.executions import Executions
from infra.exchange.feed_server import Batch, Connection
from infra.exchange.feed_session import Subscribe
from infra.exchange.floor import Floor
from infra.exchange.inbox import (
    AdminMessage,
    FeedRequest,
    Inbox,
    Item,
    OrderMessage,
    Query,
)
from infra.exchange.instruments import Listing
from infra.exchange.journal import Journal
from infra.exchange.market_file import MarketFile
from infra.exchange.notices import Notice, PhaseNotice
from infra.exchange.received import Received
from infra.exchange.reports import ExecType, ExecutionReport, MassCancelReport, Report
from infra.exchange.requests import parse_request
from infra.exchange.schedule import Schedule
from infra.exchange.timekeeper import Timekeeper
from infra.exchange.trading_day import TradingDay

TICK_S = 0.01
ITEMS_PER_TURN = 200
KEEP_FIGURES_EVERY_S = 60.0
QUERY_TIMEOUT_S = 5.0

T = TypeVar("T")


class Orders(Protocol):
    """The order sessions, as the venue uses them."""

    def send(self, report: Report, *, poss_resend: bool = False) -> None:
        """Store and send one report."""

    def announce(self, notice: Notice) -> None:
        """Store and send one announcement to the sessions it is for."""


class Feed(Protocol):
    """The market-data sessions, as the venue uses them."""

    def publish(self, batch: Batch) -> None:
        """Send entries to the subscribers."""

    def answer(
        self,
        connection: Connection,
        request: Subscribe,
        snapshots: Batch,
        notices: Sequence[Notice] = (),
    ) -> None:
        """Send how the market stands, then snapshots, and updates from here on."""

    def announce(self, notices: list[Notice]) -> None:
        """Send announcements to everyone."""

    def refuse(self, connection: Connection, request: Subscribe, text: str) -> None:
        """Refuse a request for an unknown symbol."""


@dataclass(slots=True)
class VenueFigures:
    """Counters for /metrics; written by the matching thread alone."""

    requests: int = 0
    reports: int = 0
    trades: int = 0
    rejected: int = 0
    resent: int = 0
    malformed: int = 0


class Venue:
    """One exchange. `run` is the body of the matching thread; `stop` may be called from any."""

    def __init__(
        self,
        *,
        listing: Listing,
        journal: Journal,
        clock: BusinessClock,
        inbox: Inbox,
        rate: int,
        seed: int,
        script: MarketFile | None = None,
    ) -> None:
        recovered = journal.recovered
        self.register = recovered.register
        self.figures = VenueFigures()
        self._journal = journal
        self._clock = clock
        self._inbox = inbox
        self._executions = Executions(self.register, boot=recovered.boot)
        self.floor = Floor(listing, self._executions)
        self._timekeeper = Timekeeper(self.floor, Schedule(clock.read().hours, seed))
        if recovered.floor:
            self.floor.restore(recovered.floor)
            self._timekeeper.restore(recovered.floor["time"])
        self._engine = Engine(self.floor, self._executions)
        self.day = TradingDay(listing, self.floor, self._engine, rate=rate, seed=seed)
        self._received = {s: Received(through) for s, through in recovered.received.items()}
        self._stopping = threading.Event()
        self._trade_date = recovered.market_date
        if recovered.market:
            self.day.restore(recovered.market)
        self.floor.on_day = self._roll
        self.director = Director(self.floor, self.day, script)
        if recovered.floor:
            self.director.restore(recovered.floor["director"])
        self._timekeeper.script = self.director
        self._waiting: dict[str, deque[Report]] = {}
        self._orders: Orders
        self._feed: Feed

    def connect(self, orders: Orders, feed: Feed) -> None:
        """Give the venue its sessions; call it once, before `run`."""
        self._orders, self._feed = orders, feed

    def resend_unsent(self, stores_lost: Iterable[str]) -> None:
        """Send again, with PossResend=Y, the reports that a kill may have kept from leaving; all of
        the trade date on a session whose store is lost, so that its numbers begin anew."""
        recovered = self._journal.recovered
        for session in stores_lost:
            for report in recovered.told.get(session, ()):
                self._orders.send(report, poss_resend=True)
                self.figures.resent += 1
        recovered.told.clear()
        for session, reports in self._journal.recovered.unsent.items():
            for report in reports:
                self._orders.send(report, poss_resend=True)
                self._journal.add_sent(session, 1)
                self.figures.resent += 1
        self._journal.recovered.unsent.clear()

    @property
    def open(self) -> bool:
        """Whether orders trade continuously now."""
        return self.floor.open

    def stop(self) -> None:
        """Ask the matching thread to end after its turn."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`; keeps the day's figures in the journal at the end."""
        self._move_clock()
        self.day.open_books()
        for notice in self.floor.standing():
            self._executions.announce(notice)
        self._settle()
        then = kept = time.monotonic()
        due = then + TICK_S
        while not self._stopping.is_set():
            self._serve(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            if now < due:
                continue
            self._move_clock()
            more = self._trade(now - then)
            then = now
            due = now if more else now + TICK_S
            if now - kept >= KEEP_FIGURES_EVERY_S:
                kept = now
                self._queue_figures()
            self._journal.flush()
        self._settle()
        self._queue_figures()
        self._journal.flush()

    def ask(self, question: Callable[[], T]) -> T:
        """Have the matching thread answer a question; TimeoutError after five seconds."""
        answer: Future[Any] = Future()
        self._inbox.put(Query(question, answer), timeout=QUERY_TIMEOUT_S)
        result: T = answer.result(timeout=QUERY_TIMEOUT_S)
        return result

    # -- One turn

    def _serve(self, wait_s: float) -> None:
        """Handle what waits, or the first thing that comes within `wait_s`."""
        try:
            item = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            self._move_clock()
            self._handle(item)
            for _ in range(ITEMS_PER_TURN):
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            pass
        self._settle()

    def _handle(self, item: Item) -> None:
        match item:
            case OrderMessage(session, sequence, raw):
                self.figures.requests += 1
                try:
                    self._engine.handle(parse_request(session, raw))
                except (ValueError, KeyError):
                    # The dictionary lets no such message through; count it rather than stop.
                    self.figures.malformed += 1
                self._note_received(AdminMessage(session, sequence, sequence))
            case AdminMessage():
                self._note_received(item)
            case FeedRequest(connection, request):
                self._settle()
                self._snapshot(connection, request)
            case Query(question, answer):
                self._settle()
                result = question()
                self._settle()
                answer.set_result(result)

    def _note_received(self, item: AdminMessage) -> None:
        received = self._received.setdefault(item.session, Received())
        if item.reset:
            received.reset(item.last + 1)
        else:
            received.seen(item.first, item.last)

    def _move_clock(self) -> None:
        self._timekeeper.advance(self._clock.read())
        self.director.move(self._executions.now)
        if self.director.delays:
            self._send_delayed()

    def _roll(self) -> None:
        """Between two trade dates: all of the old one is told before the figures begin anew."""
        self._settle()
        if self._trade_date:
            self.day.roll()
        self._trade_date = self._executions.trade_date
        self.floor.changed = True

    def _trade(self, elapsed_s: float) -> bool:
        """Let the house act while a share trades; return whether it is behind its rate."""
        if not self.floor.trading:
            self._settle()
            return False
        self.day.advance(elapsed_s)
        reports, more = self.day.work()
        self._release(reports)
        self._settle()
        return more

    def _settle(self) -> None:
        """Journal, send and show everything that was decided since the last time."""
        reports, prints = self._executions.drain()
        if self.floor.changed:
            self._queue_figures()
        self._release(reports)
        self.day.show(prints, {r.symbol for r in reports if isinstance(r, ExecutionReport)})
        self._announce()
        self._publish()

    def _announce(self) -> None:
        notices = self._executions.drain_notices()
        if not notices:
            return
        self._journal.flush()
        for notice in notices:
            self._orders.announce(notice)
        self._feed.announce([n for n in notices if not isinstance(n, PhaseNotice) or not n.session])

    def _release(self, reports: list[Report]) -> None:
        if not reports:
            return
        self._keep_received()
        for report in reports:
            if not _is_answer(report):
                self._journal.add_report(report)
        self._journal.flush()
        for report in reports:
            self._send(report)
            self._count(report)

    def _send(self, report: Report) -> None:
        """Hand a report to its session, or keep it while the session's line is made slow."""
        if report.session in self.director.delays:
            self._waiting.setdefault(report.session, deque()).append(report)
            return
        self._orders.send(report)
        if not _is_answer(report):
            self._journal.add_sent(report.session, 1)

    def _send_delayed(self) -> None:
        """Send what waited for a delay that is over. After a kill it goes as a possible resend."""
        now = self._executions.now
        for session in [name for name, until in self.director.delays.items() if until <= now]:
            del self.director.delays[session]
            for report in self._waiting.pop(session, ()):
                self._send(report)

    def _count(self, report: Report) -> None:
        self.figures.reports += 1
        if isinstance(report, ExecutionReport):
            self.figures.trades += report.exec_type is ExecType.TRADE
            self.figures.rejected += report.exec_type is ExecType.REJECTED

    def _publish(self) -> None:
        batch = self.day.take_batch()
        if batch:
            self._feed.publish(batch)

    def _snapshot(self, connection: Connection, request: Subscribe) -> None:
        symbols = request.symbols or tuple(self.day.displays)
        unknown = [symbol for symbol in symbols if symbol not in self.day.displays]
        if unknown:
            self._feed.refuse(connection, request, f"unknown symbol {unknown[0][:40]}")
            return
        snapshots = [(symbol, self.day.displays[symbol].snapshot()) for symbol in symbols]
        self._feed.answer(connection, request, snapshots, self.floor.standing())

    def _keep_received(self) -> None:
        for session, received in self._received.items():
            self._journal.add_received(session, received.through)

    def _queue_figures(self) -> None:
        self.floor.changed = False
        self._keep_received()
        self._journal.add_market(self._trade_date, self.day.figures())
        state = self.floor.state()
        state |= {"time": self._timekeeper.state(), "director": self.director.state()}
        self._journal.add_floor(state)


def _is_answer(report: Report) -> bool:
    """Whether a report only answers a question: it changed nothing and is not journaled."""
    if isinstance(report, ExecutionReport):
        return report.exec_type is ExecType.STATUS
    return isinstance(report, MassCancelReport)
