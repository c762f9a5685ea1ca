"""The venue's messages to the streams that the ledger reads.

Invariant: a position counts as published only after its report is durable in the stream, and as
settled only when there is nothing in it for the ledger. A message that breaks the rules is put
aside durably, counted and passed by: one bad report must not stop everybody's fills.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from edge.gateway import fix42, translate
from edge.gateway.inbox import Inbox, Received, SessionDown
from edge.gateway.mass_status import MassStatus
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.outbound import Outbound
from edge.gateway.positions import Positions
from edge.gateway.round_trips import RoundTrips
from edge.gateway.sweep import Sweep
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from edge.runtime.pace import Pace
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.ids import partition_of_user, slot_of_order
from functions.shared.stores.streams import Record, Streams
from functions.shared.wire.executions import ExecutionReport, encode_execution, executions_stream

#: Raw messages that broke the rules, for a person to look at (`outcry orders lost`); the key is the
#: numbering that their positions are of.
REFUSED_STREAM = "executions-refused"
BATCH_MOST = 500
TAKE_SECONDS = 0.2
#: From one batch to the next: each is a disk write of the streams' server.
BATCH_EVERY_SECONDS = 0.002


class ReportsOut:
    """One thread for all sessions. `down` names sessions whose last message has been handled."""

    def __init__(
        self,
        names: Sequence[str],
        inbox: Inbox,
        streams: Streams,
        positions: Sequence[Positions],
        partitions: int,
        outbound: Outbound,
        sweep: Sweep,
        mass_status: MassStatus,
        round_trips: RoundTrips,
        metrics: GatewayMetrics,
        down: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._inbox = inbox
        self._streams = streams
        self._positions = positions
        self._partitions = partitions
        self._outbound = outbound
        self._sweep = sweep
        self._mass_status = mass_status
        self._round_trips = round_trips
        self._metrics = metrics
        self._down = down
        self._monotonic = monotonic
        self._trouble = ""

    def state(self) -> tuple[bool, str]:
        """Whether the last attempt succeeded, and if not, why."""
        return not self._trouble, f"executions: {self._trouble}"

    def run(self, stop: threading.Event) -> None:
        """Hands on until `stop`. While the streams are away it tries the same batch again."""
        backoff, pace = Backoff(), Pace(BATCH_EVERY_SECONDS, self._monotonic)
        while not stop.is_set():
            pace.wait(stop)
            items = self._inbox.take(BATCH_MOST, TAKE_SECONDS)
            if items:
                pace.begin()
            while items:
                try:
                    self.handle(items)
                    self._trouble = ""
                    backoff.reset()
                    break
                except Retryable as error:
                    self._trouble = str(error)
                    logger(__name__).warning("executions not handed on", detail=str(error))
                    if backoff.wait(stop):
                        return

    def handle(self, items: Sequence[Received | SessionDown]) -> None:
        """Publishes one batch. Raises Retryable; the same batch may then be handled again."""
        records: defaultdict[str, list[Record]] = defaultdict(list)
        published: defaultdict[int, list[int]] = defaultdict(list)
        settled: list[tuple[int, int, int]] = []
        acts: list[Callable[[], object]] = []
        for item in items:
            if isinstance(item, SessionDown):
                acts.append(partial(self._down, item.session))
                continue
            try:
                fields = fix42.incoming(translate.parse_fields(item.raw))
                self._round_trips.heard(item.session, fields, item.at)
                if item.administrative:
                    settled.append(
                        (item.session, item.position, translate.last_settled(item.position, fields))
                    )
                    self._note_reject(item.session, fields)
                    continue
                act = self._act_of(item, fields)
                if act is not None:
                    settled.append((item.session, item.position, item.position))
                    acts.append(act)
                    continue
                numbering = self._positions[item.session].numbering
                report = translate.execution_of(numbering, fields)
            except PeerProtocolError as error:
                name = self._names[item.session]
                logger(__name__).error("report refused", session=name, detail=str(error))
                self._metrics.refused.labels(name).inc()
                raw = item.raw.encode(errors="surrogateescape")  # the engine's reading of any byte
                numbering = self._positions[item.session].numbering
                records[REFUSED_STREAM].append(Record(numbering, raw))
                settled.append((item.session, item.position, item.position))
                continue
            records[self._stream_of(report)].append(
                Record(str(report.user_id), encode_execution(report))
            )
            published[item.session].append(item.position)
        self._streams.append_each(records)
        for number, positions in published.items():
            self._positions[number].publish(positions, self._monotonic())
            self._metrics.reports.labels(self._names[number]).inc(len(positions))
        for number, first, last in settled:
            self._positions[number].settle(first, last)
        for act in acts:
            act()

    def _act_of(self, item: Received, fields: dict[int, str]) -> Callable[[], object] | None:
        """What to do about a message that is nothing for the ledger; None when it is."""
        if fields.get(35) == "8" and fields.get(150) == "I":
            self._mass_status.heard(item.session, item.position, fields)
        if translate.is_mass_status(fields):
            return lambda: None
        if translate.is_unowned_cancel(fields):
            return partial(self._note_unowned, item.session, fields)
        if translate.is_duplicate_reject(fields):
            if fields[35] == "9":
                return lambda: None  # the first one's answer is on its way, or will be asked for
            request = translate.status_fields_of(fields)
            return lambda: self._outbound.ask(item.session, request)
        if translate.is_unknown_order(fields):
            if fields.get(43) == "Y":
                return lambda: None  # told before: what was unknown then may have been sent since
            tag = fields.get(11, "")
            if not self._sweep.sends_again(tag):
                return None
            return lambda: self._sweep.answer_unknown(tag)
        if translate.says_nothing_new(fields):
            return lambda: None
        return None

    def _stream_of(self, report: ExecutionReport) -> str:
        # By the order's slot, which is its user's: a 35=9 may come without Account(1).
        user = report.user_id or slot_of_order(report.order_id)
        return executions_stream(partition_of_user(user, self._partitions))

    def _note_unowned(self, session: int, fields: dict[int, str]) -> None:
        logger(__name__).warning(
            "the venue answers the cancel of an order that is not ours",
            session=self._names[session],
            client_order_id=fields.get(41, ""),
            cancelled=fields.get(150) == "4",
            detail=fields.get(58, ""),
        )

    def _note_reject(self, session: int, fields: dict[int, str]) -> None:
        if fields.get(35) == "3":
            name = self._names[session]
            logger(__name__).error(
                "the venue refused a message", session=name, detail=fields.get(58, "")
            )
            self._metrics.session_rejects.labels(name).inc()
