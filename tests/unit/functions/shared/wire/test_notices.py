"""Notices on a user's channel: never taken for an event."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.wire.events import decode_event
from functions.shared.wire.notices import (
    WatchlistMoved,
    decode_notice,
    encode_notice,
    is_notice,
    render_notice,
)


@given(
    st.builds(
        WatchlistMoved,
        watchlist_id=st.none() | st.text(),
        version=st.none() | st.integers(1, 2**31),
    )
)
def test_a_notice_comes_back_as_it_went_and_is_no_event(notice: WatchlistMoved) -> None:
    payload = encode_notice(notice)
    assert is_notice(payload)
    assert decode_notice(payload) == notice
    with pytest.raises(msgspec.MsgspecError):
        decode_event(payload)


def test_it_names_the_list_and_its_version() -> None:
    assert render_notice(WatchlistMoved(watchlist_id="a", version=2)) == {
        "type": "watchlist", "watchlist_id": "a", "version": 2,
    }  # fmt: skip
    assert not is_notice(b'{"user_id":1}')
