import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcry_client.protocol import Notice, PeerProtocolError, UserSequence
from tests.support.terminal import order
from tui.client.models import Order, Plan, PrivateEvent, Quote
from tui.client.protocol import AccountSnapshot, decode


def _events(*seqs: int) -> list[PrivateEvent]:
    return [order(str(seq), user_seq=seq) for seq in seqs]


def _seqs(events: list[PrivateEvent]) -> list[int]:
    return [event.user_seq for event in events]


def test_one_message_may_hold_an_object_or_an_array() -> None:
    text = '{"type":"quote","symbol":"M&M","ltp":"2811.20","change":"-1.05"}'

    assert decode(text) == decode(f"[{text}]")
    (quote,) = decode(text)
    assert isinstance(quote, Quote)
    assert quote.change == Decimal("-1.05")


def test_a_price_snapshot_is_a_quote_and_an_account_snapshot_asks_for_a_load() -> None:
    price, account = decode('[{"type":"snapshot","symbol":"TCS","ltp":"1.00"},{"type":"snapshot"}]')

    assert isinstance(price, Quote)
    assert account == AccountSnapshot()


def test_an_order_on_the_stream_names_its_own_type_beside_the_messages() -> None:
    body = {
        "type": "order",
        "order_type": "LIMIT",
        "user_seq": 3,
        "order_id": "1",
        "symbol": "TCS",
        "side": "BUY",
        "quantity": 1,
        "price": "10.00",
        "status": "OPEN",
        "version": 2,
    }
    (event,) = decode(json.dumps(body))

    assert isinstance(event, Order)
    assert event.type == "LIMIT"


def test_an_event_that_changes_nothing_on_screen_leaves_no_gap() -> None:
    messages = decode(
        '[{"type":"event","kind":"BANK_ASKED","user_seq":1},'
        '{"type":"alert","code":"EXIT_UNFILLED","message":"5 TCS","user_seq":2},'
        '{"type":"not_known_yet","user_seq":3}]'
    )
    events = [each for each in messages if isinstance(each, PrivateEvent)]
    sequence = UserSequence(0)

    assert _seqs(sequence.accept([*events, *_events(4)])) == [1, 2, 3, 4]
    assert not sequence.has_gap


def test_a_plan_on_the_stream_has_no_slices() -> None:
    (event,) = decode(
        '{"type":"plan","user_seq":5,"plan_id":"1","kind":"TWAP","symbol":"TCS","side":"BUY",'
        '"quantity":30,"state":"ACTIVE","version":2,"starts_at":"2026-07-10T06:30:00Z",'
        '"ends_at":"2026-07-10T07:30:00Z","product":"CNC","price":null}'
    )

    assert isinstance(event, Plan)
    assert event.slices is None


def test_what_is_neither_price_nor_account_is_a_notice() -> None:
    assert decode('{"type":"error","code":"unknown_symbol","message":"NOPE"}') == [
        Notice("error", "unknown_symbol", "NOPE")
    ]
    assert decode('{"type":"heartbeat"}') == [Notice("heartbeat")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "3",
        '["x"]',
        "null",
        '{"type":"quote","symbol":"TCS"}',
        '{"type":"quote","symbol":"TCS","ltp":"NaN?"}',
        '{"type":"funds","cash":"1.00","held":"0.00","available":"1.00"}',
        '{"type":"fill","user_seq":"7"}',
    ],
)
def test_what_the_contract_rules_out_ends_the_connection(text: str) -> None:
    with pytest.raises(PeerProtocolError):
        decode(text)


@given(st.binary() | st.text())
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes | str) -> None:
    try:
        decode(data)
    except PeerProtocolError:
        return
