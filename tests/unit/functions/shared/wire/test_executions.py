"""Execution reports: read back as written; what the ledger could not hold is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.wire.executions import ExecutionReport, decode_execution, encode_execution

#: The gateway takes NUL out of what the venue writes; a report that has one is refused.
WORDS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
COUNT = st.integers(0, 2**63 - 1)
SMALL = st.integers(0, 2**31 - 1)
REPORTS = st.builds(
    ExecutionReport,
    v=st.just(1), session=WORDS, position=COUNT, user_id=COUNT, order_id=COUNT,
    request=SMALL, exec_id=WORDS, exec_type=st.sampled_from("0456789ACEFGHI"),
    ord_status=st.sampled_from("012468CE"), venue_order_id=WORDS,
    symbol=WORDS, side=st.sampled_from(["BUY", "SELL", None]), last_quantity=COUNT,
    last_price=COUNT, cumulative_quantity=COUNT, leaves_quantity=COUNT, order_quantity=COUNT,
    price=COUNT | st.none(), trade_date=st.dates().map(str),
    transacted_at=st.integers(0, 4_102_444_800_000_000), reject_code=SMALL | st.none(),
    text=WORDS, exec_ref=WORDS,
)  # fmt: skip


@given(report=REPORTS)
def test_a_report_is_read_back_as_written(report: ExecutionReport) -> None:
    assert decode_execution(encode_execution(report)) == report


@given(data=st.binary(max_size=200))
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_execution(data)


@given(report=REPORTS, cut=st.integers(1, 20))
def test_a_cut_record_is_refused(report: ExecutionReport, cut: int) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_execution(encode_execution(report)[:-cut])


@given(
    report=REPORTS,
    change=st.sampled_from(
        [
            {"v": 2},
            {"trade_date": "20260710x"},
            {"trade_date": "2026-02-30"},
            {"trade_date": ""},
            {"last_quantity": -1},
            {"position": 2**63},
            {"order_id": "7"},
            {"side": "HOLD"},
            {"transacted_at": -1},
            {"last_price": 1.5},
        ]
    ),
)
def test_a_field_that_the_ledger_could_not_hold_is_refused(
    report: ExecutionReport, change: dict[str, object]
) -> None:
    data = msgspec.msgpack.encode({**msgspec.structs.asdict(report), **change})
    with pytest.raises(msgspec.MsgspecError):
        decode_execution(data)
