"""Commands become FIX and reports become ours with nothing rounded, guessed or half understood."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.gateway import translate
from functions.shared.clock import from_micros
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.money import format_price, parse_price
from functions.shared.wire.commands import CancelOrder, NewOrder, ReplaceOrder
from functions.shared.wire.executions import ExecutionReport

NOW = datetime(2026, 7, 10, 4, 0, 0, 123999, tzinfo=UTC)
ids = st.integers(1, 2**63 - 1)
symbols = st.sampled_from(["INFY", "M&M", "NIFTY 50", "BAJAJ-AUTO"])
sides = st.sampled_from(["BUY", "SELL"])
quantities = st.integers(1, 10**9)
prices = st.integers(1, 10**12)

REPORT = {
    35: "8",
    34: "17",
    37: "V5",
    11: "8388608",
    17: "R9-4",
    150: "F",
    39: "1",
    1: "42",
    55: "M&M",
    54: "2",
    38: "10",
    40: "2",
    44: "2950.5",
    59: "0",
    32: "4",
    31: "2950.55",
    151: "6",
    14: "4",
    6: "2950.55",
    75: "20260710",
    60: "20260710-04:00:00.250",
    58: "",
}
REJECT = {
    35: "9",
    34: "18",
    37: "V5",
    11: "8388608-2",
    41: "8388608",
    39: "2",
    434: "1",
    102: "0",
    60: "20260709-19:00:00.000",
    1: "42",
    58: "too late",
}


@given(ids, ids, symbols, sides, quantities, st.none() | prices, st.sampled_from(["DAY", "IOC"]))
def test_an_order_keeps_every_term(
    order_id: int,
    user_id: int,
    symbol: str,
    side: str,
    quantity: int,
    price: int | None,
    validity: str,
) -> None:
    kind = "MARKET" if price is None else "LIMIT"
    order = NewOrder(
        order_id=order_id,
        user_id=user_id,
        symbol=symbol,
        side=side,
        type=kind,
        validity=validity,
        quantity=quantity,
        price=price,
        trade_date=NOW.date(),
    )
    fields = translate.command_fields(order, NOW)
    assert len(dict(fields)) == len(fields)
    tags = dict(fields)
    assert (tags[35], int(tags[11]), int(tags[1]), tags[55]) == ("D", order_id, user_id, symbol)
    assert (tags[54], tags[40], tags[59]) == (
        {"BUY": "1", "SELL": "2"}[side],
        "1" if price is None else "2",
        {"DAY": "0", "IOC": "3"}[validity],
    )
    assert int(tags[38]) == quantity
    assert (parse_price(tags[44]) if 44 in tags else None) == price
    assert tags[60] == "20260710-04:00:00.123"
    assert 97 not in tags


def test_a_cancel_names_the_last_accepted_request_and_carries_no_price() -> None:
    cancel = CancelOrder(
        order_id=7, user_id=1, symbol="INFY", side="SELL", quantity=5, request=3, original=1
    )
    tags = dict(translate.command_fields(cancel, NOW))
    assert (tags[35], tags[11], tags[41], tags[38]) == ("F", "7-3", "7-1", "5")
    assert 44 not in tags


def test_a_replace_carries_the_whole_order_and_the_first_one_replaces_the_order_itself() -> None:
    replace = ReplaceOrder(
        order_id=7,
        user_id=1,
        symbol="INFY",
        side="BUY",
        type="LIMIT",
        validity="DAY",
        quantity=8,
        price=15_005_000,
        request=1,
        original=0,
    )
    tags = dict(translate.command_fields(replace, NOW))
    assert (tags[35], tags[11], tags[41], tags[38], tags[44]) == ("G", "7-1", "7", "8", "1500.50")


def test_what_may_have_been_sent_says_so() -> None:
    cancel = CancelOrder(
        order_id=7, user_id=1, symbol="INFY", side="SELL", quantity=5, request=3, original=1
    )
    assert (97, "Y") in translate.command_fields(cancel, NOW, possibly_sent=True)


@given(
    st.builds(
        ExecutionReport,
        session=st.just("OUTCRY-O1"),
        position=ids,
        user_id=ids,
        order_id=ids,
        request=st.integers(0, 10**6),
        exec_id=st.text("ABC0123456789-", min_size=1, max_size=20),
        exec_type=st.sampled_from("0458CI"),
        ord_status=st.sampled_from("01248C"),
        venue_order_id=st.just("V1"),
        symbol=symbols,
        side=sides,
        last_quantity=st.just(0),
        last_price=st.just(0),
        cumulative_quantity=quantities,
        leaves_quantity=quantities,
        order_quantity=quantities,
        price=st.none() | prices,
        trade_date=st.just("2026-07-10"),
        transacted_at=st.integers(0, 4 * 10**12).map(lambda ms: ms * 1000),
        reject_code=st.none() | st.integers(0, 99),
        text=st.just("why"),
    )
)
def test_a_report_reads_back_as_it_was_written(report: ExecutionReport) -> None:
    tag = str(report.order_id) + (f"-{report.request}" if report.request else "")
    fields = {
        35: "8",
        34: str(report.position),
        37: report.venue_order_id,
        11: tag,
        17: report.exec_id,
        150: report.exec_type,
        39: report.ord_status,
        1: str(report.user_id),
        55: report.symbol,
        54: "1" if report.side == "BUY" else "2",
        38: str(report.order_quantity),
        151: str(report.leaves_quantity),
        14: str(report.cumulative_quantity),
        75: "20260710",
        60: translate.format_utc_timestamp(from_micros(report.transacted_at)),
        58: "why",
    }
    if report.price is not None:
        fields[44] = format_price(report.price)
    if report.reject_code is not None:
        fields[103] = str(report.reject_code)
    raw = "".join(f"{number}={value}\x01" for number, value in fields.items())
    assert translate.execution_of("OUTCRY-O1", translate.parse_fields(raw)) == report


def test_a_bust_and_a_correction_name_the_trade_they_are_about() -> None:
    bust = translate.execution_of("OUTCRY-O1", REPORT | {150: "H", 19: "R7-1"})
    assert (bust.exec_ref, bust.last_quantity, bust.last_price) == ("R7-1", 0, 0)
    corrected = translate.execution_of("OUTCRY-O1", REPORT | {150: "G", 19: "R7-1"})
    assert (corrected.exec_ref, corrected.last_quantity, corrected.last_price) == (
        "R7-1", 4, 29_505_500,
    )  # fmt: skip
    for exec_type in "GH":
        with pytest.raises(PeerProtocolError):
            translate.execution_of("OUTCRY-O1", REPORT | {150: exec_type})


def test_a_trade_is_read_to_the_ten_thousandth_of_a_rupee() -> None:
    report = translate.execution_of("OUTCRY-O1", REPORT)
    assert (report.last_quantity, report.last_price, report.price) == (4, 29_505_500, 29_505_000)
    assert (report.position, report.user_id, report.side) == (17, 42, "SELL")
    assert (report.trade_date, report.transacted_at) == ("2026-07-10", 1783656000250000)


def test_a_cancel_reject_takes_its_trade_date_from_its_time_in_india() -> None:
    report = translate.execution_of("OUTCRY-O1", REJECT)
    assert (report.exec_type, report.request, report.reject_code) == ("9", 2, 0)
    assert (report.trade_date, report.side, report.symbol) == ("2026-07-10", None, "")
    assert translate.execution_of("s", {k: v for k, v in REJECT.items() if k != 1}).user_id == 0


@pytest.mark.parametrize("tag", [34, 37, 11, 17, 150, 39, 1, 55, 54, 38, 32, 31, 151, 14, 75, 60])
def test_a_trade_that_lacks_a_tag_is_refused(tag: int) -> None:
    with pytest.raises(PeerProtocolError):
        translate.execution_of("s", {k: v for k, v in REPORT.items() if k != tag})


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (38, "1.5"),
        (38, "-1"),
        (38, "1e3"),
        (38, "NaN"),
        (31, "2950.55555"),
        (31, "-1"),
        (31, "0"),
        (32, "0"),
        (54, "5"),
        (150, "G"),
        (11, "abc"),
        (11, "1-2-x"),
        (60, "now"),
        (60, "20261340-00:00:00"),
        (75, "20260230"),
        (17, ""),
        (1, "٣"),
        (34, "9" * 30),
    ],
)
def test_a_trade_with_a_value_that_makes_no_sense_is_refused(tag: int, value: str) -> None:
    with pytest.raises(PeerProtocolError):
        translate.execution_of("s", REPORT | {tag: value})


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_fail_otherwise(raw: str) -> None:
    with contextlib.suppress(PeerProtocolError):
        translate.execution_of("s", translate.parse_fields(raw))


def test_a_refused_duplicate_is_no_rejection_and_an_unknown_order_no_report() -> None:
    assert translate.is_duplicate_reject(REPORT | {150: "8", 39: "8", 103: "6"})
    assert translate.is_duplicate_reject(REJECT | {102: "6"})
    assert not translate.is_duplicate_reject(REPORT | {150: "8", 39: "8", 103: "1"})
    assert translate.is_unknown_order(REPORT | {150: "I", 39: "8", 103: "5"})
    assert not translate.is_unknown_order(REPORT | {150: "8", 39: "8", 103: "5"})
    assert translate.says_nothing_new(REPORT | {150: "6"})


def test_an_announcement_or_restatement_says_nothing_about_an_order() -> None:
    assert translate.says_nothing_new(REPORT | {150: "D"})
    for kind in "hfdr":
        assert translate.says_nothing_new({35: kind, 34: "3", 58: "trading is halted"})
    assert not translate.says_nothing_new(REPORT)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (11, "9" * 30),
        (11, f"{2**63}"),
        (11, "8388608-99999999999"),
        (31, "999999999999999999"),
        (55, "INFY\udcff"),
        (39, "1\0"),
        (60, "99991231-00:00:00"),
        (103, "999999999999"),
    ],
)
def test_what_the_ledger_could_not_read_back_is_refused_here(tag: int, value: str) -> None:
    with pytest.raises(PeerProtocolError):
        translate.execution_of("S", REPORT | {tag: value})


def test_bytes_that_no_store_takes_cost_the_text_and_not_the_fill() -> None:
    report = translate.execution_of("S", REPORT | {58: "caf\udce9\0"})
    assert (report.last_quantity, report.text) == (4, "caf\ufffd ")


@given(st.dictionaries(st.sampled_from([*REPORT, 103]), st.text(max_size=40)))
def test_whatever_a_report_holds_is_read_or_refused(changes: dict[int, str]) -> None:
    for message in (REPORT, REJECT):
        with contextlib.suppress(PeerProtocolError):
            translate.execution_of("S", message | changes)
        with contextlib.suppress(PeerProtocolError):
            translate.status_fields_of(message | changes)
