"""Drop copies: durable before they count, resumed without a gap, and held against the ledger's."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from prometheus_client import CollectorRegistry

from edge.gateway.drop_copy import GRACE_SECONDS, DropCopy
from edge.gateway.inbox import Inbox, Received, SessionDown
from edge.gateway.metrics import GatewayMetrics
from functions.shared.domain.errors import Retryable
from functions.shared.stores.fill_copies import Fill, OpenCopy
from functions.shared.stores.venue_review import Difference
from functions.shared.wire.executions import ExecutionReport, decode_execution
from tests.unit.edge.gateway.test_reports_out import Streams
from tests.unit.edge.gateway.test_translate import REPORT

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)


class Session:
    names = ("OUTCRY-D1",)


class Ledger:
    """Checkpoint, copies and review in one; `away` makes copies impossible to keep."""

    def __init__(self) -> None:
        self.moved: list[int] = []
        self.copies: list[ExecutionReport] = []
        self.handed_on: list[tuple[date, str]] = []
        self.fills: list[Fill] = []
        self.noted: list[Difference] = []
        self.away = False
        self.age = GRACE_SECONDS

    def move(self, _session: str, through: int) -> None:
        self.moved.append(through)

    def record(self, reports: Sequence[ExecutionReport]) -> None:
        if self.away:
            raise Retryable("away")
        self.copies += reports

    def open(self) -> list[OpenCopy]:
        return [
            OpenCopy(fill_of(r), r, fill_of(r).key in self.handed_on, self.age) for r in self.copies
        ]

    def booked(self, keys: Sequence[tuple[date, str]]) -> list[Fill]:
        return [fill for fill in self.fills if fill.key in keys]

    def mark_booked(self, keys: Sequence[tuple[date, str]]) -> None:
        self.copies = [r for r in self.copies if fill_of(r).key not in keys]

    def mark_handed_on(self, keys: Sequence[tuple[date, str]]) -> None:
        self.handed_on += keys

    def standing(self, *_: object) -> list[Difference]:
        return []

    def compared_through(self) -> None:
        return None

    def booked_between(self, *_: object) -> list[Fill]:
        return []

    def move_compared(self, _through: datetime) -> None: ...

    def note(self, _n: str, _k: object, found: Sequence[Difference], _now: datetime) -> None:
        self.noted = list(found)


def fill_of(report: ExecutionReport) -> Fill:
    return Fill(
        date.fromisoformat(report.trade_date), report.exec_id, report.order_id,
        report.last_quantity, report.last_price, report.exec_type,
    )  # fmt: skip


class Copying:
    def __init__(self) -> None:
        self.ledger, self.streams = Ledger(), Streams()
        metrics = GatewayMetrics(CollectorRegistry())
        self.drop_copy = DropCopy(
            Session(), Inbox(), self.ledger, self.ledger, self.ledger, self.streams, 4, metrics,
            lambda: NOON, lambda: NOON,
        )  # fmt: skip

    def hear(self, *messages: dict[int, str]) -> None:
        self.drop_copy.take(
            [
                Received(0, int(m[34]), m[35] != "8", "".join(f"{t}={v}\x01" for t, v in m.items()))
                for m in messages
            ]
        )


def test_positions_count_once_their_copies_are_kept_and_only_without_a_gap() -> None:
    copying = Copying()
    logon, early_logout = {35: "A", 34: "1"}, {35: "5", 34: "9"}
    copying.ledger.away = True
    with pytest.raises(Retryable):
        copying.hear(logon, REPORT | {34: "2"})
    assert copying.ledger.moved == []
    copying.ledger.away = False
    copying.hear(logon, REPORT | {34: "2"})
    copying.hear(early_logout)
    copying.drop_copy.take([SessionDown(0)])
    assert copying.ledger.moved == [2]
    assert [r.session for r in copying.ledger.copies] == ["OUTCRY-D1"]


def test_a_copy_that_nobody_booked_goes_to_the_ledger_once_when_it_is_old_enough() -> None:
    copying = Copying()
    copying.hear(REPORT | {34: "1"}, REPORT | {34: "2", 150: "0"})
    copying.ledger.age = GRACE_SECONDS - 1
    copying.drop_copy.compare()
    assert (copying.streams.appended, copying.ledger.noted) == ([], [])
    copying.ledger.age = GRACE_SECONDS
    copying.drop_copy.compare()
    copying.drop_copy.compare()
    ((stream, (record,)),) = copying.streams.appended
    assert (stream, record.key) == ("executions.2", "42")
    assert [d.kind for d in copying.ledger.noted] == ["MISSING_FILL"]
    copying.ledger.fills = [fill_of(r) for r in copying.ledger.copies]
    copying.drop_copy.compare()
    assert (copying.ledger.copies, copying.ledger.noted) == ([], [])


def test_busts_and_corrections_that_only_the_copies_tell_go_to_the_ledger() -> None:
    copying = Copying()
    bust = {k: v for k, v in REPORT.items() if k not in {31, 32}} | {150: "H", 17: "E9", 19: "E1"}
    copying.hear(
        REPORT | {34: "1"},
        REPORT | {34: "2", 150: "G", 17: "E8", 19: REPORT[17], 31: "2950.5"},
        bust | {34: "3"},
    )
    copying.drop_copy.compare()
    told = [decode_execution(r.data) for _, records in copying.streams.appended for r in records]
    assert [(r.exec_type, r.exec_ref) for r in told] == [("F", ""), ("G", REPORT[17]), ("H", "E1")]
    assert [d.venue_says.split(" of ")[0] for d in copying.ledger.noted] == [
        "4 at 2950.55", "corrected to 4 at 2950.50", "a trade",
    ]  # fmt: skip
    copying.ledger.fills = [fill_of(r) for r in copying.ledger.copies]
    copying.drop_copy.compare()
    assert copying.ledger.noted == []


def test_a_fill_that_was_booked_otherwise_is_noted_and_not_told_again() -> None:
    copying = Copying()
    copying.hear(REPORT | {34: "1"})
    copying.ledger.fills = [fill_of(copying.ledger.copies[0])._replace(quantity=5)]
    copying.drop_copy.compare()
    (noted,) = copying.ledger.noted
    assert (noted.kind, noted.ledger_says[:4], noted.venue_says[:4]) == (
        "UNEQUAL_FILL", "5 at", "4 at",
    )  # fmt: skip
    assert copying.streams.appended == []
