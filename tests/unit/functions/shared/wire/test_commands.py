"""Order commands and the ClOrdID made of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    ReplaceOrder,
    client_order_tag,
    decode_command,
    encode_command,
    parse_client_order_tag,
    session_of_symbol,
)

NUMBER = st.integers(1, 2**63 - 1)
SIDE = st.sampled_from(["BUY", "SELL"])
TERMS = {
    "v": st.just(1), "order_id": NUMBER, "user_id": NUMBER, "symbol": st.text(min_size=1),
    "side": SIDE, "quantity": NUMBER,
}  # fmt: skip
PRICED = {
    "type": st.sampled_from(["MARKET", "LIMIT"]), "validity": st.sampled_from(["DAY", "IOC"]),
    "price": NUMBER | st.none(),
}  # fmt: skip
CHANGE = {"request": st.integers(1, 1_000), "original": st.integers(0, 1_000)}
COMMANDS = (
    st.builds(NewOrder, **TERMS, **PRICED)
    | st.builds(CancelOrder, **TERMS, **CHANGE)
    | st.builds(ReplaceOrder, **TERMS, **PRICED, **CHANGE)
)


@given(command=COMMANDS)
def test_a_command_is_read_back_as_written(command: OrderCommand) -> None:
    assert decode_command(encode_command(command)) == command


@given(text=st.text(max_size=100))
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_command(text.encode(errors="surrogatepass"))


@given(order_id=NUMBER, request=st.integers(0, 10**6))
def test_a_client_order_tag_names_its_order_and_request(order_id: int, request: int) -> None:
    assert parse_client_order_tag(client_order_tag(order_id, request)) == (order_id, request)


@pytest.mark.parametrize(
    "text", ["", "-", "-1", "1-", "a", "1-a", "1-1-1", "١", "1-١", "1 ", " 1", "+1"]
)
def test_what_is_no_tag_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ClOrdID"):
        parse_client_order_tag(text)


@given(symbol=st.text(max_size=20), sessions=st.integers(1, 16))
def test_a_symbol_keeps_one_session(symbol: str, sessions: int) -> None:
    assert 0 <= session_of_symbol(symbol, sessions) < sessions
    assert session_of_symbol(symbol, sessions) == session_of_symbol(symbol, sessions)
