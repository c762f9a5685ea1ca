"""Slots, shards and order numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.ids import (
    SLOTS,
    partition_of_user,
    shard_of_slot,
    slot_of_order,
    slot_of_user,
)

USERS = st.integers(0, 2**53 - 1)


@given(user=USERS, millis=st.integers(0, 2**41 - 1), sequence=st.integers(0, 2**16 - 1))
def test_an_order_number_carries_its_users_slot(user: int, millis: int, sequence: int) -> None:
    assert slot_of_order(millis << 22 | slot_of_user(user) << 16 | sequence) == slot_of_user(user)


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 8, 64])
def test_slots_are_dealt_in_equal_runs_to_every_shard(shards: int) -> None:
    owners = [shard_of_slot(slot, shards) for slot in range(SLOTS)]
    assert owners == sorted(owners)
    counts = [owners.count(shard) for shard in range(shards)]
    assert max(counts) - min(counts) <= 1
    assert min(counts) > 0


@given(user=USERS, partitions=st.integers(1, 64))
def test_a_users_reports_are_all_in_one_partition(user: int, partitions: int) -> None:
    assert 0 <= partition_of_user(user, partitions) < partitions
    assert partition_of_user(user, partitions) == partition_of_user(user + SLOTS, partitions)
