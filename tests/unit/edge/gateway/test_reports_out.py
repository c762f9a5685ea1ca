"""Reports reach the stream before they count; what the ledger need not see is settled."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pytest
from prometheus_client import CollectorRegistry

from edge.gateway.inbox import Inbox, Received, SessionDown
from edge.gateway.mass_status import MassStatus
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.outbound import Outbound
from edge.gateway.positions import Positions
from edge.gateway.reports_out import REFUSED_STREAM, ReportsOut
from edge.gateway.round_trips import RoundTrips
from edge.gateway.sweep import STALE_SECONDS, Sweep
from edge.gateway.translate import UNOWNED_REQUEST, Fields
from edge.gateway.venue_sessions import VenueSession
from functions.shared.domain.errors import Retryable
from functions.shared.stores.fix_checkpoint import StaleOrder
from functions.shared.stores.streams import Delivered, Record
from functions.shared.stores.venue_review import Difference, LedgerOrder
from functions.shared.wire.commands import CancelOrder, NewOrder, encode_command
from functions.shared.wire.executions import decode_execution
from tests.unit.edge.gateway.test_translate import REJECT, REPORT

NAMES = ("OUTCRY-O1", "OUTCRY-O2")


class Engine:
    names = NAMES

    def __init__(self) -> None:
        self.sent: list[dict[int, str]] = []
        self.on = True

    def send(self, session: int, fields: Fields) -> bool:
        if self.on:
            self.sent.append(dict(fields))
        return self.on


class Streams:
    def __init__(self) -> None:
        self.appended: list[tuple[str, list[Record]]] = []
        self.away = False

    def append(self, stream: str, records: Sequence[Record]) -> None:
        if self.away:
            raise Retryable("away")
        self.appended.append((stream, list(records)))

    def append_each(self, batches: Mapping[str, Sequence[Record]]) -> None:
        for stream, records in batches.items():
            self.append(stream, records)

    def read(self, *_: object) -> list[tuple[str, list[Delivered]]]:
        raise NotImplementedError

    def acknowledge(self, *_: object) -> None:
        raise NotImplementedError


class Ledger:
    def __init__(self) -> None:
        self.stale: list[StaleOrder] = []

    def stale_orders(self, _seconds: float) -> list[StaleOrder]:
        return self.stale

    def through(self, _session: str) -> int:
        return 0

    def applied(self, _session: str, _after: int) -> list[int]:
        return []

    def move(self, _session: str, _through: int) -> None:
        raise NotImplementedError


class Review:
    """The ledger's orders, and what was noted of them."""

    def __init__(self) -> None:
        self.orders: list[LedgerOrder] = []
        self.noted: list[list[Difference]] = []
        self.cancels: list[tuple[str, int]] = []
        self.elsewhere: set[int] = set()

    def working_orders(self) -> list[LedgerOrder]:
        return [o for o in self.orders if o.status in {"PENDING", "OPEN", "PARTIALLY_FILLED"}]

    def orders_named(self, order_ids: Sequence[int]) -> list[LedgerOrder]:
        return [o for o in self.orders if o.order_id in order_ids]

    def note(
        self, _session: str, _kinds: Sequence[str], found: Sequence[Difference], _now: datetime
    ) -> None:
        self.noted.append(list(found))

    def working_anywhere(self, order_ids: Sequence[int]) -> set[int]:
        return self.elsewhere & set(order_ids)

    def note_cancel(self, _session: str, subject: str, number: int) -> None:
        self.cancels.append((subject, number))


class Setting:
    def __init__(self) -> None:
        self.review = Review()
        self.engine, self.streams, self.ledger = Engine(), Streams(), Ledger()
        self.positions = [Positions(), Positions()]
        for name, positions in zip(NAMES, self.positions, strict=True):
            positions.restart(name, 0, 0.0)
        self.down: list[int] = []
        self.now = 0.0
        metrics = GatewayMetrics(CollectorRegistry())
        self.metrics = metrics
        self.trips = RoundTrips(NAMES, self.engine.send, metrics, lambda: self.now)
        outbound = Outbound(
            self.engine, self.trips, metrics, lambda: datetime(2026, 7, 10, tzinfo=UTC)
        )
        self.outbound = outbound
        self.sweep = Sweep(self.ledger, outbound, lambda: self.now)
        self.mass = MassStatus(
            [VenueSession(name) for name in NAMES], outbound, self.positions, self.review, metrics,
            lambda: datetime(2026, 7, 10, tzinfo=UTC), lambda: self.now,
        )  # fmt: skip
        self.out = ReportsOut(
            NAMES,
            Inbox(),
            self.streams,
            self.positions,
            4,
            outbound,
            self.sweep,
            self.mass,
            self.trips,
            metrics,
            self.down.append,
            lambda: self.now,
        )

    def hear(self, fields: dict[int, str], *, administrative: bool = False) -> None:
        raw = "".join(f"{tag}={value}\x01" for tag, value in fields.items())
        self.out.handle([Received(0, int(fields[34]), administrative, raw, self.now)])


def order(number: int = 2, day: date = date(2026, 7, 10)) -> NewOrder:
    return NewOrder(
        order_id=number << 22,
        user_id=1,
        symbol="INFY",
        side="BUY",
        type="MARKET",
        validity="IOC",
        quantity=1,
        price=None,
        trade_date=day,
    )


def stale(command: NewOrder) -> StaleOrder:
    return StaleOrder(command.order_id, command.user_id, encode_command(command).decode())


def test_a_report_goes_to_its_users_partition_under_the_users_key() -> None:
    setting = Setting()
    setting.hear(REPORT)
    ((stream, (record,)),) = setting.streams.appended
    assert (stream, record.key) == ("executions.2", "42")
    assert decode_execution(record.data).session == "OUTCRY-O1"
    assert setting.positions[0].outstanding == 1


def test_a_report_the_stream_did_not_take_does_not_count() -> None:
    setting = Setting()
    setting.streams.away = True
    with pytest.raises(Retryable):
        setting.hear(REPORT)
    assert setting.positions[0].outstanding == 0


def test_session_messages_and_gap_fills_are_settled() -> None:
    setting = Setting()
    setting.hear({35: "A", 34: "1"}, administrative=True)
    setting.hear({35: "4", 34: "2", 123: "Y", 36: "9"}, administrative=True)
    setting.positions[0].advance([], 0.0)
    assert setting.positions[0].through == 8


def test_a_report_that_breaks_the_rules_is_put_aside_and_passed_by() -> None:
    setting = Setting()
    setting.hear(REPORT | {38: "ten", 34: "1"})
    ((stream, (record,)),) = setting.streams.appended
    assert (stream, record.key) == (REFUSED_STREAM, "OUTCRY-O1")
    assert b"38=ten" in record.data
    setting.positions[0].advance([], 0.0)
    assert setting.positions[0].through == 1


def test_a_refused_duplicate_is_followed_by_a_question_and_told_to_nobody() -> None:
    setting = Setting()
    setting.hear(REPORT | {150: "8", 39: "8", 103: "6"})
    assert setting.streams.appended == []
    ((question),) = setting.engine.sent
    assert (question[35], question[11], question[55]) == ("H", REPORT[11], "M&M")


def test_an_order_the_venue_does_not_know_is_sent_again_as_possibly_sent() -> None:
    setting = Setting()
    setting.ledger.stale = [stale(order())]
    assert setting.sweep.sweep_once() == 1
    unknown = {35: "8", 34: "5", 150: "I", 39: "8", 103: "5", 11: str(order().order_id)}
    setting.hear(unknown | {34: "4", 43: "Y"})  # told before the order may have been sent
    assert len(setting.engine.sent) == 1
    setting.hear(unknown)
    assert [(m[35], m.get(97)) for m in setting.engine.sent] == [("H", None), ("D", "Y")]
    assert setting.streams.appended == []


def test_an_order_is_not_sent_again_behind_its_cancel() -> None:
    setting = Setting()
    setting.ledger.stale = [stale(order())]
    setting.sweep.sweep_once()
    cancel = CancelOrder(
        order_id=order().order_id, user_id=1, symbol="INFY", side="BUY", quantity=1, request=1,
        original=0,
    )  # fmt: skip
    assert setting.outbound.send_command(cancel)
    setting.hear({35: "8", 34: "5", 150: "I", 39: "8", 103: "5", 11: str(order().order_id)})
    assert [sent[35] for sent in setting.engine.sent] == ["H", "F"]
    setting.outbound.send_command(order(3))
    assert setting.engine.sent[-1][35] == "D"


def test_an_order_of_an_earlier_day_is_not_sent_and_the_ledger_hears_that_the_venue_lacks_it() -> (
    None
):
    setting = Setting()
    late = order(day=date(2026, 7, 9))
    assert setting.outbound.send_command(late, possibly_sent=True)
    setting.ledger.stale = [stale(late)]
    setting.sweep.sweep_once()
    unknown = {37: "NONE", 150: "I", 39: "8", 103: "5", 14: "0", 58: "unknown order"}
    setting.hear(REPORT | {11: str(late.order_id)} | unknown)
    assert [sent[35] for sent in setting.engine.sent] == ["H"]
    ((_, (record,)),) = setting.streams.appended
    told = decode_execution(record.data)
    assert (told.order_id, told.request, told.exec_type) == (late.order_id, 0, "I")
    assert (told.ord_status, told.reject_code) == ("8", 5)


def test_that_the_venue_lacks_an_order_which_the_sweep_did_not_ask_about_is_the_ledgers() -> None:
    setting = Setting()
    unknown = {37: "NONE", 150: "I", 39: "8", 103: "5", 14: "0", 58: "unknown order"}
    setting.hear(REPORT | {11: str(order().order_id)} | unknown)
    assert setting.engine.sent == []
    assert len(setting.streams.appended) == 1


def test_a_question_is_not_repeated_before_its_answer_is_late() -> None:
    setting = Setting()
    setting.ledger.stale = [stale(order())]
    assert setting.sweep.sweep_once() == 1
    assert setting.sweep.sweep_once() == 0
    setting.now = STALE_SECONDS
    assert setting.sweep.sweep_once() == 1


def test_a_command_told_twice_goes_out_as_possibly_sent_the_second_time() -> None:
    setting = Setting()
    assert setting.outbound.send_command(order())
    assert setting.outbound.send_command(order())
    assert [m.get(97) for m in setting.engine.sent] == [None, "Y"]


def test_nothing_is_sent_on_a_session_that_is_off() -> None:
    setting = Setting()
    setting.engine.on = False
    assert not setting.outbound.send_command(order())


def test_the_end_of_a_session_is_passed_on_behind_its_reports() -> None:
    setting = Setting()
    raw = "".join(f"{tag}={value}\x01" for tag, value in REPORT.items())
    setting.out.handle([Received(0, 17, False, raw), SessionDown(0)])
    assert setting.down == [0]
    assert len(setting.streams.appended) == 1


def test_a_message_of_any_bytes_is_put_aside_as_it_came() -> None:
    setting = Setting()
    setting.hear(REPORT | {38: "\udcff", 34: "1"})
    ((stream, (record,)),) = setting.streams.appended
    assert stream == REFUSED_STREAM
    assert b"38=\xff" in record.data


def test_the_venues_announcements_are_settled_and_handed_to_nobody() -> None:
    setting = Setting()
    setting.hear({35: "h", 34: "1", 336: "CONTINUOUS", 340: "2"})
    setting.hear({35: "f", 34: "2", 55: "INFY", 326: "2"})
    assert not setting.streams.appended
    setting.positions[0].advance([], 0.0)
    assert setting.positions[0].through == 2


def test_the_answer_to_the_cancel_of_an_order_that_is_not_ours_is_nothing_for_the_ledger() -> None:
    setting = Setting()
    cancelled = REPORT | {34: "1", 11: f"0-{UNOWNED_REQUEST}", 41: "desk-1", 150: "4", 39: "4"}
    refused = REJECT | {34: "2", 11: f"8388608-{UNOWNED_REQUEST + 1}", 102: "0"}
    setting.hear(cancelled)
    setting.hear(refused)
    assert setting.streams.appended == []
    setting.positions[0].advance((), 0.0)
    assert setting.positions[0].through == 2
    setting.hear(REPORT | {34: "3", 11: "desk-1"})  # a trade of it is put aside, for a person
    ((stream, (record,)),) = setting.streams.appended
    assert (stream, record.key) == (REFUSED_STREAM, "OUTCRY-O1")
