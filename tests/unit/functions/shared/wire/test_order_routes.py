"""The state of order sessions as it is told: read back whole, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.commands import session_of_symbol
from functions.shared.wire.order_routes import Route, Routes, decode_routes, encode_routes

routes = st.builds(Route, name=st.text(max_size=20), up=st.booleans(), since=st.integers(0, 2**62))


@given(st.lists(routes, max_size=5), st.text(max_size=12))
def test_what_is_told_is_read_back_and_a_symbol_has_its_session(
    told: list[Route], symbol: str
) -> None:
    read = decode_routes(encode_routes(Routes(routes=tuple(told))))
    assert list(read.routes) == told
    expected = told[session_of_symbol(symbol, len(told))] if told else None
    assert read.of_symbol(symbol) == expected


@given(st.binary(max_size=40))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        decode_routes(data)
