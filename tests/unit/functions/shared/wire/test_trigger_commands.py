"""Commands of the edge: what is encoded is what is decoded, and nothing else is a command."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.wire.trigger_commands import (
    EdgeCommand,
    ExpireOrder,
    ReleaseOrder,
    Tick,
    WorkPlan,
    decode_trigger_command,
    encode_trigger_command,
)

COUNT = st.integers(0, 2**63 - 1)
MICROS = st.integers(0, 4_102_444_800_000_000)
TICK = st.builds(Tick, price=COUNT, seq=COUNT, timestamp_ms=COUNT)
COMMAND = st.one_of(
    st.builds(ReleaseOrder, user_id=COUNT, order_id=COUNT, version=COUNT,
              tick=st.none() | TICK, seen_at=MICROS),
    st.builds(ExpireOrder, user_id=COUNT, order_id=COUNT, version=COUNT, seen_at=MICROS),
    st.builds(WorkPlan, user_id=COUNT, plan_id=COUNT, seen_at=MICROS),
)  # fmt: skip


@given(COMMAND)
def test_a_command_is_read_as_it_was_written(command: EdgeCommand) -> None:
    assert decode_trigger_command(encode_trigger_command(command)) == command


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"place"}', b'{"kind":"expire","v":2}'])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_trigger_command(data)


@given(data=st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        decode_trigger_command(data)
    except msgspec.MsgspecError:
        return
