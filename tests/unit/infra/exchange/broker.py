"""A hand-driven venue for tests of the rules: no threads, no files, no house liquidity."""

from dataclasses import replace
from datetime import UTC, datetime

from infra.exchange.boards import Board
from infra.exchange.book import Book, Side
from infra.exchange.clock import IST, Reading
from infra.exchange.engine import Engine
from infra.exchange.executions import Executions
from infra.exchange.floor import Floor
from infra.exchange.instruments import Index, Instrument, Listing
from infra.exchange.notices import Notice
from infra.exchange.register import Register
from infra.exchange.reports import CancelReject, ExecutionReport, OrdType, Report, TimeInForce
from infra.exchange.requests import (
    CancelRequest,
    NewOrder,
    ReplaceRequest,
    Request,
    StatusRequest,
)
from infra.exchange.schedule import Schedule
from infra.exchange.timekeeper import Timekeeper

BUY, SELL = Side.BUY, Side.SELL
RUPEE = 10_000
SHARE = Instrument("ABC", "Abc Limited", "", "Energy", 100 * RUPEE, RUPEE // 10, 10, 1, 10, True)
OTHER = replace(SHARE, symbol="XYZ", derivatives=False)
INDEX = Index("NIFTY 50", "Nifty 50", 25_000 * RUPEE, 500)
LISTING = Listing((SHARE, OTHER), INDEX)
SEED = 7


def ist(text: str, hours: str = "nse") -> Reading:
    """Return a reading at an instant of India's time, such as `2026-11-23 09:15`."""
    return Reading(datetime.fromisoformat(text).replace(tzinfo=IST), hours)


DAY_ONE = Reading(datetime(2026, 11, 23, 6, tzinfo=UTC), "always-open")


class Desk:
    """Sends requests to an engine and collects what it answers."""

    def __init__(self, register: Register | None = None, start: Reading = DAY_ONE) -> None:
        self.executions = Executions(register or Register())
        self.floor = Floor(LISTING, self.executions)
        self.time = Timekeeper(self.floor, Schedule(start.hours, SEED))
        self.engine = Engine(self.floor, self.executions)
        self.time.advance(start)
        self.all: list[Report] = self.executions.drain()[0]

    @property
    def register(self) -> Register:
        return self.executions.register

    @property
    def board(self) -> Board:
        return self.floor.boards["ABC"]

    @property
    def book(self) -> Book:
        return self.board.book

    def advance(self, reading: Reading) -> list[Report]:
        self.time.advance(reading)
        return self._answers()

    def notices(self) -> list[Notice]:
        return self.executions.drain_notices()

    def order(
        self, name: str, side: Side, quantity: int, rupees: float | None, /, **more: object
    ) -> list[Report]:
        price = None if rupees is None else round(rupees * RUPEE)
        request = NewOrder(
            session="OUTCRY-O1",
            cl_ord_id=name,
            account=f"of {name}",
            symbol="ABC",
            side=side,
            ord_type=OrdType.MARKET if price is None else OrdType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=quantity,
            price=price,
            poss_dup=False,
            poss_resend=False,
            fault="",
        )
        self.engine.handle(replace(request, **more))  # type: ignore[arg-type]
        return self._answers()

    def cancel(self, name: str, original: str, side: Side = BUY, **more: object) -> list[Report]:
        request = CancelRequest("OUTCRY-O1", name, original, "ABC", side, False, False)
        self.engine.handle(replace(request, **more))  # type: ignore[arg-type]
        return self._answers()

    def change(
        self,
        name: str,
        original: str,
        quantity: int,
        rupees: float,
        side: Side = BUY,
        **more: object,
    ) -> list[Report]:
        request = ReplaceRequest(
            session="OUTCRY-O1",
            cl_ord_id=name,
            orig_cl_ord_id=original,
            symbol="ABC",
            side=side,
            ord_type=OrdType.LIMIT,
            quantity=quantity,
            price=round(rupees * RUPEE),
            poss_dup=False,
            poss_resend=False,
            fault="",
        )
        return self.ask(replace(request, **more))  # type: ignore[arg-type]

    def ask(self, request: Request) -> list[Report]:
        self.engine.handle(request)
        return self._answers()

    def status(self, name: str) -> ExecutionReport:
        self.engine.handle(StatusRequest("OUTCRY-O1", name, "77", "ABC", BUY))
        return execution(self._answers()[0])

    def _answers(self) -> list[Report]:
        reports, _ = self.executions.drain()
        self.all += reports
        return reports


def execution(report: Report) -> ExecutionReport:
    assert isinstance(report, ExecutionReport)
    return report


def refusal(report: Report) -> CancelReject:
    assert isinstance(report, CancelReject)
    return report


def kinds(reports: list[Report]) -> list[tuple[str, str, str]]:
    """Return ClOrdID, ExecType and OrdStatus by name of each execution report."""
    return [
        (r.cl_ord_id, r.exec_type.name, r.ord_status.name)
        for r in reports
        if isinstance(r, ExecutionReport)
    ]
