import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcry_client.protocol import Notice, PeerProtocolError
from outcry_client.stream import AccountEvent, Price, read


def test_a_message_is_sorted_into_prices_events_and_the_rest() -> None:
    quote = {"type": "quote", "symbol": "M&M", "ltp": "2811.20"}
    snapshot = {"type": "snapshot", "symbol": "TCS", "ltp": "1.00"}
    newer = {"type": "not_known_yet", "user_seq": 3}
    market = {"type": "market", "code": "X", "message": "halted", "phase": "HALTED"}
    got = read(json.dumps([quote, snapshot, newer, market]))

    assert got.quotes == [Price("M&M", quote), Price("TCS", snapshot)]
    assert got.account == [AccountEvent(3, "not_known_yet", newer)]
    assert got.notices == [Notice("market", "X", "halted")]
    assert got.notices[0].fields == market
    assert not got.reload


def test_a_resume_from_too_long_ago_asks_for_a_load() -> None:
    got = read('{"type":"snapshot","code":"RELOAD","user_seq":7}')
    assert got.reload
    assert not got.account


@pytest.mark.parametrize("text", ["", "not json", "3", '["x"]', "null", '{"type":"fill"}'])
def test_what_the_contract_rules_out_ends_the_connection(text: str) -> None:
    with pytest.raises(PeerProtocolError):
        read(text)


@given(st.binary() | st.text())
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes | str) -> None:
    try:
        read(data)
    except PeerProtocolError:
        return
