"""A hand-driven venue for tests of the rules: no threads, no files, no house liquidity."""

from dataclasses import replace
from datetime import UTC, date, datetime

from infra.exchange.book import Side
from infra.exchange.clock import Reading
from infra.exchange.engine import Engine
from infra.exchange.instruments import Instrument
from infra.exchange.register import Register
from infra.exchange.reports import CancelReject, ExecutionReport, OrdType, Report, TimeInForce
from infra.exchange.requests import CancelRequest, NewOrder, ReplaceRequest, StatusRequest

BUY, SELL = Side.BUY, Side.SELL
RUPEE = 10_000
DAY_ONE = Reading(datetime(2026, 11, 23, 6, tzinfo=UTC), date(2026, 11, 23), True)
SHARE = Instrument("ABC", "Abc Limited", "", "Energy", 100 * RUPEE, RUPEE // 10, 10, 1, 10)


class Desk:
    """Sends requests to an engine and collects what it answers."""

    def __init__(self, register: Register | None = None) -> None:
        self.engine = Engine([SHARE], register or Register())
        self.engine.advance(DAY_ONE)
        self.all: list[Report] = self.engine.drain()[0]

    def advance(self, reading: Reading) -> list[Report]:
        self.engine.advance(reading)
        return self._answers()

    def order(
        self, name: str, side: Side, quantity: int, rupees: float | None, /, **more: object
    ) -> list[Report]:
        price = None if rupees is None else round(rupees * RUPEE)
        request = NewOrder(
            session="OUTCRY-O1",
            cl_ord_id=name,
            account="77",
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
        self, name: str, original: str, quantity: int, rupees: float, side: Side = BUY
    ) -> list[Report]:
        self.engine.handle(
            ReplaceRequest(
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
        )
        return self._answers()

    def status(self, name: str) -> ExecutionReport:
        self.engine.handle(StatusRequest("OUTCRY-O1", name, "77", "ABC", BUY))
        return execution(self._answers()[0])

    def _answers(self) -> list[Report]:
        reports, _ = self.engine.drain()
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
