"""The venue's drop copies against what was booked: a second word on every fill, by another session.

A fill that only the copies tell, a bust (150=H) or a correction (150=G) goes to the ledger by the
way of every report, once, and is noted until it is found booked; ExecID makes it one. What only the
ledger has, and what the two tell differently, is noted for a person.

Invariant: a copy is durable before its position counts, and the session is resumed behind the last
position without a gap. Fills are compared up to the newest copy alone: the venue tells both sides
in one order, so an older fill without a copy has none on its way.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from edge.gateway import translate
from edge.gateway.inbox import Inbox, Received, SessionDown
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.positions import Positions
from edge.gateway.session import FixSessions
from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.clock import from_micros
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.ids import partition_of_user
from functions.shared.domain.money import format_price
from functions.shared.stores.fill_copies import Fill, FillCopies
from functions.shared.stores.fix_checkpoint import Checkpoint
from functions.shared.stores.streams import Record, Streams
from functions.shared.stores.venue_review import Difference, Kind, VenueReview
from functions.shared.wire.executions import ExecutionReport, encode_execution, executions_stream

#: ExecType(150) of what is compared: a trade, what it was corrected to, and that it is taken back.
TOLD: Final = frozenset("FGH")
KINDS: Final[tuple[Kind, ...]] = ("MISSING_FILL", "UNKNOWN_FILL", "UNEQUAL_FILL")
#: Business time from one comparison to the next.
EVERY = timedelta(minutes=5)
#: A copy that came less long ago may be ahead of its report.
GRACE_SECONDS = 60.0
BATCH_MOST = 500
TAKE_SECONDS = 0.2
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


class DropCopy:
    """One thread for the one session in `sessions`."""

    def __init__(
        self,
        sessions: FixSessions,
        inbox: Inbox,
        checkpoint: Checkpoint,
        copies: FillCopies,
        review: VenueReview,
        streams: Streams,
        partitions: int,
        metrics: GatewayMetrics,
        business: Callable[[], datetime],
        wall: Callable[[], datetime],
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._name = sessions.names[0]
        self._inbox = inbox
        self._checkpoint = checkpoint
        self._copies = copies
        self._review = review
        self._streams = streams
        self._partitions = partitions
        self._metrics = metrics
        self._business = business
        self._wall = wall
        self._grace_seconds = grace_seconds
        self._positions = Positions()
        self._down = True
        self._newest: datetime | None = None
        self._compared_at = business()

    def run(self, stop: threading.Event) -> None:
        """Takes copies and compares until `stop`; tries again while the ledger is away."""
        backoff = Backoff()
        items: list[Received | SessionDown] = []
        while not stop.is_set():
            try:
                if self._down:
                    self._resume()
                items = items or self._inbox.take(BATCH_MOST, TAKE_SECONDS)
                self.take(items)
                items = []
                self._compare_when_due()
                backoff.reset()
            except Retryable as error:
                logger(__name__).warning("drop copies wait", detail=str(error))
                if backoff.wait(stop):
                    return

    def take(self, items: Sequence[Received | SessionDown]) -> None:
        """Keeps one batch. Raises Retryable; the same batch may then be taken again."""
        reports: list[ExecutionReport] = []
        settled: list[tuple[int, int]] = []
        down = False
        for item in items:
            if isinstance(item, SessionDown):
                down = True
                continue
            last = item.position
            try:
                fields = translate.parse_fields(item.raw)
                last = translate.last_settled(item.position, fields)
                report = None if item.administrative else self._report_of(fields)
                if report is not None:
                    reports.append(report)
            except PeerProtocolError as error:
                logger(__name__).error("copy refused", session=self._name, detail=str(error))
                self._metrics.refused.labels(self._name).inc()
            settled.append((item.position, last))
        if reports:
            self._copies.record(reports)
            self._metrics.reports.labels(self._name).inc(len(reports))
        for first, last in settled:
            self._positions.settle(first, last)
        if self._positions.advance((), 0.0):
            self._checkpoint.move(self._positions.numbering, self._positions.through)
        self._down = self._down or down

    def compare(self) -> None:
        """Each side's fills against the other's. Raises Retryable."""
        found = [*self._not_booked(), *self._not_copied()]
        self._review.note(self._name, KINDS, found, self._wall())
        counts = Counter(difference.kind for difference in found)
        for kind in KINDS:
            self._metrics.differences.labels(self._name, kind).set(counts[kind])
        for difference in found:
            logger(__name__).error(
                "the drop copy and the ledger differ",
                kind=difference.kind,
                subject=difference.subject,
                ledger=difference.ledger_says,
                venue=difference.venue_says,
            )

    def _report_of(self, fields: dict[int, str]) -> ExecutionReport | None:
        """The trade, bust or correction in a copy; None for any other message, whose time counts
        all the same."""
        if fields.get(35) != "8":
            return None
        report = None
        if fields.get(150) in TOLD:
            report = translate.execution_of(self._name, fields)
        try:
            at = from_micros(translate.parse_utc_timestamp(fields.get(60, "")))
        except ValueError as error:
            raise PeerProtocolError(f"TransactTime(60): {error}") from None
        self._newest = at if self._newest is None else max(self._newest, at)
        return report

    def _resume(self) -> None:
        if self._sessions.began_anew(0):
            self._checkpoint.begin_numbering(self._name)
        numbering = self._checkpoint.numbering(self._name)
        through = self._checkpoint.through(numbering)
        self._positions.restart(numbering, through, 0.0)
        self._down = False
        self._sessions.resume(0, through + 1)

    def _compare_when_due(self) -> None:
        now = self._business()
        if not timedelta() <= now - self._compared_at < EVERY:
            self.compare()
            self._compared_at = now

    def _not_booked(self) -> list[Difference]:
        """What of the copies the ledger lacks or has otherwise; it is told what it lacks."""
        found: list[Difference] = []
        copies = self._copies.open()
        if not copies:
            return found
        booked = {fill.key: fill for fill in self._copies.booked([c.fill.key for c in copies])}
        self._copies.mark_booked([c.fill.key for c in copies if booked.get(c.fill.key) == c.fill])
        for copy in copies:
            ours = booked.get(copy.fill.key)
            if ours is None and copy.age_seconds >= self._grace_seconds:
                found.append(_difference("MISSING_FILL", None, copy.fill))
                if not copy.handed_on:
                    self._hand_on(copy.report)
                    self._copies.mark_handed_on([copy.fill.key])
            elif ours is not None and ours != copy.fill:
                found.append(_difference("UNEQUAL_FILL", ours, copy.fill))
        return found

    def _hand_on(self, report: ExecutionReport) -> None:
        stream = executions_stream(partition_of_user(report.user_id, self._partitions))
        self._streams.append(stream, [Record(str(report.user_id), encode_execution(report))])

    def _not_copied(self) -> list[Difference]:
        """What the ledger has booked and no copy tells, that noted before included."""
        noted = [_key_of(d.subject) for d in self._review.standing(self._name, "UNKNOWN_FILL")]
        fills = {fill.key: fill for fill in self._copies.booked(noted)} if noted else {}
        after = self._copies.compared_through() or _BEGINNING
        before = self._newest
        if before is not None and before > after:
            fills |= {fill.key: fill for fill in self._copies.booked_between(after, before)}
        alone = self._copies.not_copied(list(fills.values())) if fills else []
        if before is not None and before > after:
            # A moment before, since `booked_between` leaves out both ends.
            self._copies.move_compared(before - timedelta(microseconds=1))
        return [_difference("UNKNOWN_FILL", fill, None) for fill in alone]


def _difference(kind: Kind, ours: Fill | None, theirs: Fill | None) -> Difference:
    fill = ours or theirs
    subject = "" if fill is None else f"{fill.trade_date}/{fill.exec_id}"
    return Difference(kind, subject, _said(ours), _said(theirs))


def _said(fill: Fill | None) -> str:
    if fill is None:
        return ""
    if fill.exec_type == "H":
        return f"a trade of order {fill.order_id} taken back"
    said = f"{fill.quantity} at {format_price(fill.price)} of order {fill.order_id}"
    return f"corrected to {said}" if fill.exec_type == "G" else said


def _key_of(subject: str) -> tuple[date, str]:
    day, _, exec_id = subject.partition("/")
    return date.fromisoformat(day), exec_id
