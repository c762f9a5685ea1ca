"""Changes of the instrument master on their stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.listings import (
    ListingChange,
    decode_listing_change,
    encode_listing_change,
)

CHANGES = st.builds(
    ListingChange,
    v=st.just(1),
    kind=st.sampled_from(["NEW_LISTING", "CHANGED", "DELISTED"]),
    token=st.integers(0, 2**31 - 1),
    symbol=st.text(max_size=20),
    version=st.integers(0, 2**63 - 1),
)


@given(CHANGES)
def test_a_change_is_read_as_it_was_written(change: ListingChange) -> None:
    assert decode_listing_change(encode_listing_change(change)) == change


@given(st.binary(max_size=80))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        decode_listing_change(data)


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(PeerProtocolError):
        decode_listing_change(b'{"v":2,"kind":"CHANGED","token":1,"symbol":"A","version":1}')
