"""`fix_round_trip`: orders a second through one FIX session, each answered before it counts.

Ours: command in the durable stream -> gateway process -> venue -> gateway -> acknowledgement in the
executions stream. Baseline: a bare QuickFIX initiator in one process that sends the same order
and counts the same answers, with no streams and no ledger. Both keep WINDOW orders in flight
against the same venue, in the same run, one after the other. The venue is one Python process and
is part of both figures.
"""

import contextlib
import functools
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import quickfix

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
from tests.integration.exchange.venue_process import VenueProcess
from tests.support.gateway_process import GatewayProcess
from tests.support.paper_ledger import PaperLedger
from tests.support.valkey import valkey_server

WINDOW = 200
PARTITIONS = 4
READY_SECONDS = 30.0
SYMBOL = "RELIANCE"
SESSIONS = 2


def run(seconds: float) -> dict[str, Any]:
    """Round trips per second and session, ours and QuickFIX's alone."""
    half = max(1.0, seconds / 2)
    with _venue() as (folder, port):
        alone = _quickfix_alone(folder / "alone", port, half)
    with _venue() as (folder, port):
        ours = _through_the_gateway(folder, port, half)
    return {
        "name": "fix_round_trip",
        "figure": ours,
        "unit": "round trips/s/session",
        "baselines": [{"name": "QuickFIX alone", "figure": alone}],
        "in_flight": WINDOW,
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
    )


def _through_the_gateway(folder: Path, port: int, seconds: float) -> float:
    with valkey_server(durable=True) as server:
        gateway = GatewayProcess(folder, server.url, port, free_ports(1)[0])
        ledger = PaperLedger(gateway.ledger)
        gateway.start()
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not gateway.ready():
                if time.monotonic() > deadline:
                    raise RuntimeError((folder / "gateway.log").read_text())
                time.sleep(0.05)
            return _drive_streams(server.url, ledger, seconds)
        finally:
            gateway.kill()


def _drive_streams(url: str, ledger: PaperLedger, seconds: float) -> float:
    writer, reader = ValkeyStreams(url), ValkeyStreams(url)
    names = [executions_stream(number) for number in range(PARTITIONS)]
    stream = orders_stream(session_of_symbol(SYMBOL, SESSIONS))
    sent = answered = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        room = WINDOW - (sent - answered)
        if room > 0:
            orders = [_order(sent + n + 1) for n in range(room)]
            writer.append(stream, [Record(str(o.user_id), encode_command(o)) for o in orders])
            sent += room
        for name, entries in reader.read(names, "bench", "me", 500, 20):
            reports = [decode_execution(e.data) for e in entries]
            answered += sum(report.exec_type == "0" for report in reports)
            ledger.mark_applied(reports)
            reader.acknowledge(name, "bench", [e.id for e in entries])
    return answered / elapsed


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
