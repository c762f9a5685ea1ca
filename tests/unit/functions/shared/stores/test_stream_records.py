"""What was fetched of a stream is handed out in bounded batches, in order, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import InvariantViolated
from functions.shared.stores.stream_records import (
    RECORD_BYTES_MOST,
    Ahead,
    Delivered,
    Record,
    check_sizes,
)


@given(
    sizes=st.lists(st.integers(0, 30), max_size=40),
    count=st.integers(1, 10),
    batch_bytes=st.integers(1, 60),
)
def test_batches_keep_order_count_and_bytes_and_always_go_on(
    sizes: list[int], count: int, batch_bytes: int
) -> None:
    ahead = Ahead(batch_bytes)
    ahead.add("a", [Delivered(str(n), "k", bytes(size)) for n, size in enumerate(sizes)])
    ahead.add("b", [Delivered("0", "k", b"other")])
    taken: list[Delivered] = []
    while batches := ahead.take(["a"], count):
        ((name, batch),) = batches
        assert name == "a"
        assert 1 <= len(batch) <= count
        assert len(batch) == 1 or sum(len(d.data) for d in batch) <= batch_bytes
        taken += batch
    assert [int(d.id) for d in taken] == [*range(len(sizes))]
    assert [name for name, _ in ahead.take(["a", "b"], count)] == ["b"]


def test_what_is_dropped_is_not_handed_out() -> None:
    ahead = Ahead(10)
    ahead.add("a", [Delivered("0", "k", b"x")])
    ahead.drop("a")
    ahead.drop("never there")
    assert ahead.take(["a"], 1) == []


def test_a_record_above_the_bound_is_our_own_mistake() -> None:
    check_sizes("s", [Record("k", bytes(RECORD_BYTES_MOST))])
    with pytest.raises(InvariantViolated, match="921601 bytes for s"):
        check_sizes("s", [Record("k", b""), Record("k", bytes(RECORD_BYTES_MOST + 1))])
