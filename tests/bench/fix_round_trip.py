"""`fix_round_trip`: orders a second through one FIX session, each answered before it counts; and
how long an answer takes at RATE orders a second.

The first is a closed loop. Ours: command in the durable stream -> gateway process -> venue ->
gateway -> acknowledgement in the executions stream. Baseline: a bare QuickFIX initiator in one
process that sends the same order and counts the same answers, with no streams and no ledger. Both
keep WINDOW orders in flight against the same venue, in the same run, one after the other. The venue
is one Python process and is part of both figures.

The second is an open loop: each order has its moment in a schedule made before, whatever the
answers do, and its time counts from that moment (corrected for coordinated omission by
construction) until its acknowledgement is read from the stream.
"""

import contextlib
import functools
import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import quickfix
from hdrh.histogram import HdrHistogram

from edge.gateway.session import engine_settings
from edge.gateway.venue_sessions import VENUE, order_sessions
from functions.shared.domain.money import format_price
from functions.shared.stores.streams import Record, ValkeyStreams
from functions.shared.wire.commands import (
    NewOrder,
    encode_command,
    orders_stream,
    session_of_symbol,
)
from functions.shared.wire.executions import decode_execution, executions_stream
from infra.exchange.bands import Band
from infra.exchange.instruments import read_listing
from infra.local.ports import free_ports
from tests.bench.fsync import watched_disk
from tests.integration.exchange.venue_process import VenueProcess
from tests.support.gateway_process import GatewayProcess
from tests.support.paper_ledger import PaperLedger
from tests.support.valkey import valkey_server

WINDOW = 200
#: Orders a second of the open loop.
RATE = 1_000
PARTITIONS = 4
SETTLE_SECONDS = 10.0
READY_SECONDS = 30.0
#: Of each partition. What the ledger does with a report, and when, is not what is timed here.
ACKNOWLEDGED_TOGETHER = 100
SYMBOL = "RELIANCE"
SESSIONS = 2
_COMPARED = "outcry_gateway_orders_compared"


def run(seconds: float) -> dict[str, Any]:
    """Round trips per second and session, ours and QuickFIX's alone."""
    third = max(1.0, seconds / 3)
    with _venue() as (folder, port):
        alone = _quickfix_alone(folder / "alone", port, third)
    with _venue() as (folder, port):
        ours, paced = _through_the_gateway(folder, port, third)
    return {
        "name": "fix_round_trip",
        "figure": ours,
        "unit": "round trips/s/session",
        "baselines": [{"name": "QuickFIX alone", "figure": alone}],
        "in_flight": WINDOW,
        **paced,
    }


@contextlib.contextmanager
def _venue() -> Iterator[tuple[Path, int]]:
    """A fresh venue's folder and order port."""
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as name:
        folder = Path(name)
        (folder / "venue").mkdir()
        venue = VenueProcess(folder / "venue", rate=10)
        try:
            venue.start()
            yield folder, venue.orders_port
        finally:
            venue.kill()


def _order(number: int) -> NewOrder:
    """A buy at the foot of the band: it rests, so an order is one answer."""
    return NewOrder(
        order_id=number << 22,
        user_id=number % 64 + 1,
        symbol=SYMBOL,
        side="BUY",
        type="LIMIT",
        validity="DAY",
        quantity=1,
        price=_foot_of_the_band(),
        trade_date=datetime.now(UTC).date(),
    )


def _through_the_gateway(
    folder: Path, port: int, seconds: float
) -> tuple[float, dict[str, object]]:
    """Round trips a second, and the times at RATE."""
    with valkey_server(durable=True) as server:
        gateway = GatewayProcess(folder, server.url, port, free_ports(1)[0])
        ledger = PaperLedger(gateway.ledger)
        gateway.start()
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not (gateway.ready() and _compared(gateway)):
                if time.monotonic() > deadline:
                    raise RuntimeError((folder / "gateway.log").read_text())
                time.sleep(0.05)
            desk = _Desk(server.url, ledger)
            gc.freeze()  # a collection here would count as the gateway's time
            with watched_disk() as disk:
                rate, paced = desk.as_fast_as_answered(seconds), desk.on_schedule(seconds)
            return rate, paced | disk
        finally:
            gateway.kill()


def _compared(gateway: GatewayProcess) -> bool:
    """Whether the look at all of the venue's open orders that follows a logon is over: its answers
    would come between the load's, one for each order that is open by then."""
    told = gateway.metrics()
    names = [f'{_COMPARED}{{session="{session.name}"}}' for session in order_sessions(SESSIONS)]
    return all(told.get(name) == 1 for name in names)


class _Desk:
    """Puts orders into one session's stream and reads their acknowledgements."""

    def __init__(self, url: str, ledger: PaperLedger) -> None:
        self._writer, self._reader = ValkeyStreams(url), ValkeyStreams(url)
        self._ledger = ledger
        self._names = [executions_stream(number) for number in range(PARTITIONS)]
        self._stream = orders_stream(session_of_symbol(SYMBOL, SESSIONS))
        self._sent = 0
        self._read: dict[str, list[str]] = {name: [] for name in self._names}

    def as_fast_as_answered(self, seconds: float) -> float:
        """Answers a second while WINDOW orders are in flight. None is left when it returns."""
        before, answered = self._sent, 0
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            room = WINDOW - (self._sent - before - answered)
            if room > 0:
                self._send(room)
            answered += len(self._acknowledged())
        rate = answered / elapsed
        deadline = time.monotonic() + SETTLE_SECONDS
        while answered < self._sent - before and time.monotonic() < deadline:
            answered += len(self._acknowledged())
        return rate

    def on_schedule(self, seconds: float) -> dict[str, object]:
        """The times from an order's moment to its answer, in milliseconds, at RATE."""
        first, count = self._sent + 1, int(RATE * seconds)
        started = time.monotonic() + 0.2
        sender = threading.Thread(target=self._keep_to_schedule, args=(started, count))
        sender.start()
        taken = HdrHistogram(1, 60_000_000, 3)
        deadline = started + seconds + SETTLE_SECONDS
        while taken.get_total_count() < count and time.monotonic() < deadline:
            for number in self._acknowledged():
                due = started + (number - first) / RATE
                taken.record_value(max(1, int((time.monotonic() - due) * 1_000_000)))
        sender.join()
        return {
            f"p{name}_ms_at_{RATE}_per_s": round(taken.get_value_at_percentile(at) / 1_000, 1)
            for name, at in (("50", 50), ("99", 99), ("99_9", 99.9))
        } | {"paced_orders": count, "paced_unanswered": count - taken.get_total_count()}

    def _keep_to_schedule(self, started: float, count: int) -> None:
        left = 0
        while left < count:
            due = min(count, int((time.monotonic() - started) * RATE) + 1)
            if due > left:
                self._send(due - left)
                left = due
            else:
                time.sleep(max(0.0, started + left / RATE - time.monotonic()))

    def _send(self, count: int) -> None:
        orders = [_order(self._sent + n + 1) for n in range(count)]
        self._sent += count
        records = [Record(str(order.user_id), encode_command(order)) for order in orders]
        self._writer.append(self._stream, records)

    def _acknowledged(self) -> list[int]:
        """The numbers of the orders whose acknowledgement came, each once."""
        found: list[int] = []
        for name, entries in self._reader.read(self._names, "bench", "me", 500, 20):
            reports = [decode_execution(entry.data) for entry in entries]
            found += [report.order_id >> 22 for report in reports if report.exec_type == "0"]
            self._ledger.mark_applied(reports)
            self._read[name] += [entry.id for entry in entries]
            if len(self._read[name]) >= ACKNOWLEDGED_TOGETHER:
                self._reader.acknowledge(name, "bench", self._read[name])
                self._read[name].clear()
        return found


@functools.cache
def _foot_of_the_band() -> int:
    listed = next(i for i in read_listing().instruments if i.symbol == SYMBOL)
    return Band(listed.reference_price, listed.band_percent, listed.tick).low


def _quickfix_alone(folder: Path, port: int, seconds: float) -> float:
    """A bare initiator: builds each message, sends it, and counts the acknowledgements."""
    folder.mkdir()
    configuration = folder / "alone.cfg"
    configuration.write_text(
        engine_settings("127.0.0.1", port, folder / "store", order_sessions(1)), encoding="ascii"
    )
    settings = quickfix.SessionSettings(str(configuration))
    counting = _Counting()
    stores = quickfix.FileStoreFactory(settings)
    initiator = quickfix.ThreadedSocketInitiator(counting, stores, settings)
    session = quickfix.SessionID("FIX.4.4", order_sessions(1)[0].name, VENUE)
    price = format_price(_foot_of_the_band())
    initiator.start()
    if not counting.logged_on.wait(READY_SECONDS):
        raise RuntimeError("the venue did not answer the logon")
    sent = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        if not counting.room.acquire(timeout=0.1):
            continue
        sent += 1
        message = quickfix.Message()
        message.getHeader().setField(35, "D")
        for tag, value in (
            (11, str(sent)),
            (1, "1"),
            (55, SYMBOL),
            (54, "1"),
            (38, "1"),
            (40, "2"),
            (44, price),
            (59, "0"),
            (60, f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000"),
        ):
            message.setField(tag, value)
        quickfix.Session.sendToTarget(message, session)
    initiator.stop(True)
    return counting.answered / elapsed


class _Counting(quickfix.Application):  # type: ignore[misc]
    """Counts acknowledgements, and lets as many orders follow."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = 0
        self.room = threading.Semaphore(WINDOW)
        self.logged_on = threading.Event()

    def onCreate(self, session_id: Any) -> None: ...  # noqa: N802
    def onLogout(self, session_id: Any) -> None: ...  # noqa: N802
    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802
    def toApp(self, message: Any, session_id: Any) -> None: ...  # noqa: N802
    def fromAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        self.logged_on.set()

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        if message.getField(150) == "0":
            self.answered += 1
            self.room.release()
