"""The conversation: signing in, bad messages, deadlines and limits, without a socket."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.actions import BadMessage, parse_action
from edge.fanout.frames import array_frame, text_frame
from edge.fanout.limits import Limits
from functions.shared.access.principal import SCOPES
from functions.shared.domain.errors import PeerProtocolError, Refused
from functions.shared.domain.market_halts import HaltSource
from functions.shared.domain.sessions import Phase, SecurityClass
from functions.shared.wire.announcements import HaltNews, MarketNews, decode_news, encode_news
from tests.support.fanout import WALL, Floor, principal, quote, read_frames

BAD = {
    "hello": "NOT_JSON",
    '{"action":"ping"': "NOT_JSON",
    '{"action":"ping","id":NaN}': "NOT_JSON",
    "[]": "INVALID_MESSAGE",
    "{}": "UNKNOWN_ACTION",
    '{"action":"buy"}': "UNKNOWN_ACTION",
    '{"action":7}': "UNKNOWN_ACTION",
    '{"action":"ping","extra":1}': "UNKNOWN_FIELD",
    '{"action":"subscribe"}': "INVALID_MESSAGE",
    '{"action":"subscribe","symbols":"S1"}': "INVALID_MESSAGE",
    '{"action":"subscribe","symbols":[1]}': "INVALID_MESSAGE",
    '{"action":"subscribe","symbols":["S1"],"mode":"all"}': "INVALID_MESSAGE",
    '{"action":"resume","seq":-1}': "INVALID_MESSAGE",
    '{"action":"resume","seq":"1"}': "INVALID_MESSAGE",
    '{"action":"resume","seq":99999999999999999999}': "INVALID_MESSAGE",
    '{"action":"auth"}': "INVALID_MESSAGE",
    '{"action":"subscribe","symbols":["NOSUCH"]}': "UNKNOWN_SYMBOL",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_message_is_answered_with_its_code(text: str) -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, text)
    errors = [o["code"] for o in link.said() if o["type"] == "error"]
    assert errors == [BAD[text]]
    assert link.closed is None


@given(st.binary(max_size=200))
def test_any_bytes_are_an_action_or_a_bad_message(text: bytes) -> None:
    code = ""
    try:
        parse_action(text)
    except BadMessage as error:
        code = error.code
    assert code in {"", "NOT_JSON", "UNKNOWN_ACTION", "UNKNOWN_FIELD", "INVALID_MESSAGE"}


@given(st.lists(st.integers(0, 9), max_size=700), st.integers(0, 40_000))
def test_frames_are_read_back_by_another_parser(numbers: list[int], padding: int) -> None:
    if numbers:
        assert read_frames(array_frame([b"%d" % n for n in numbers])) == numbers
    text = "x" * padding * 2
    assert read_frames(text_frame(b'"%b"' % text.encode())) == [text]


def test_repeated_garbage_closes_with_1008() -> None:
    floor = Floor(Limits(errors=3))
    client, link = floor.sign_in()
    for _ in range(4):
        floor.say(client, "?")
    assert link.closed == (1008, "too many errors")


def test_too_many_messages_a_second_close_with_1008() -> None:
    floor = Floor(Limits(messages_per_second=5))
    client, link = floor.sign_in()
    for _ in range(5):
        floor.say(client, '{"action":"ping"}')
    floor.sweep(1.0)
    floor.say(client, '{"action":"ping"}')
    assert link.closed is None
    for _ in range(5):
        floor.say(client, '{"action":"ping"}')
    assert link.closed == (1008, "too many messages")


def test_a_subscription_is_confirmed_then_shown_then_kept_up() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.hub.take([quote("M&M", 4)])
    floor.say(client, '{"action":"subscribe","symbols":["M&M","S1"],"mode":"quote"}')
    subscribed, snapshot = link.said()
    assert subscribed == {
        "type": "subscribed", "mode": "quote", "symbols": ["M&M", "S1"], "rejected": [],
        "instruments": [
            {"symbol": "M&M", "exchange": "NSE", "token": 2_031},
            {"symbol": "S1", "exchange": "NSE", "token": 1},
        ],
    }  # fmt: skip
    assert (snapshot["type"], snapshot["symbol"], snapshot["volume"]) == ("snapshot", "M&M", 9)
    floor.say(client, '{"action":"unsubscribe","symbols":["M&M","S9"]}')
    assert link.said() == [{"type": "unsubscribed", "symbols": ["M&M"]}]
    floor.hub.take([quote("M&M", 5)])
    floor.tick()
    assert link.said() == []


def test_news_of_the_market_reach_everybody_who_signed_in_in_one_message() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    _, stranger = floor.connect(token=None)
    at, other = 1_784_000_000_123_000, SecurityClass.OTHER
    news = [
        MarketNews(phase=Phase.CLOSING, at=at, security_class=other),
        MarketNews(
            phase=Phase.HALTED, at=at, symbol="M&M", band=(9_000, 11_500), text="news pending"
        ),
        MarketNews(
            phase=Phase.HALTED, at=at, text="fell", halt=HaltNews(
                level=10, source=HaltSource.INDEX, since=at, resumes_at=at + 1, opens_at=None
            ),
        ),
    ]  # fmt: skip
    floor.reception.market(decode_news(encode_news(news)))
    assert link.said() == [
        {"type": "market", "phase": "CLOSING", "security_class": "OTHER", "symbol": None,
         "band": None, "reason": None, "halt": None, "timestamp": 1_784_000_000_123},
        {"type": "market", "phase": "HALTED", "security_class": None, "symbol": "M&M",
         "band": {"low": "0.90", "high": "1.15"}, "reason": "news pending", "halt": None,
         "timestamp": 1_784_000_000_123},
        {"type": "market", "phase": "HALTED", "security_class": None, "symbol": None, "band": None,
         "reason": "fell", "timestamp": 1_784_000_000_123,
         "halt": {"level": 10, "source": "INDEX", "since": "2026-07-14T03:33:20.123000Z",
                  "resumes_at": "2026-07-14T03:33:20.123001Z", "opens_at": None}},
    ]  # fmt: skip
    assert stranger.said() == []
    with pytest.raises(PeerProtocolError):
        decode_news(encode_news(news * 200))


def test_a_ping_is_answered_with_its_id() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, '{"action":"ping","id":"a"}')
    floor.say(client, '{"action":"ping"}')
    assert link.said() == [{"type": "pong", "id": "a"}, {"type": "pong", "id": None}]


def test_the_first_message_signs_in() -> None:
    floor = Floor()
    client, link = floor.connect(token=None)
    floor.say(client, '{"action":"auth","token":"abc"}')
    floor.say(client, '{"action":"ping","id":1}')
    assert floor.doors.tokens == [(client, "abc")]
    assert link.said() == []
    floor.reception.verified(client, principal())
    assert [o["type"] for o in link.said()] == ["auth", "pong"]
    assert floor.doors.channels == {"user:{u07}:7"}


@pytest.mark.parametrize("text", ['{"action":"ping"}', "?"])
def test_another_first_message_closes_with_4001(text: str) -> None:
    floor = Floor()
    client, link = floor.connect(token=None)
    floor.say(client, text)
    assert link.closed == (4001, "the first message must be an auth")


@pytest.mark.parametrize(
    ("code", "closed"), [("TOKEN_INVALID", 4001), ("TOKEN_EXPIRED", 4004), ("SESSION_ENDED", 4004)]
)
def test_a_token_that_does_not_hold_closes(code: str, closed: int) -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.reception.refused(client, Refused(401, code, ""))
    assert link.closed == (closed, code)
    assert floor.reception.leftovers == 0


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({"scopes": SCOPES - {"read"}}, "SCOPE_MISSING"),
        ({"addresses": ("198.51.100.0/24",)}, "ADDRESS_NOT_ALLOWED"),
        ({"addresses": ("203.0.113.7/32",)}, None),
    ],
)
def test_a_program_is_heard_from_its_addresses_and_with_its_scopes(
    changes: dict[str, Any], closed: str | None
) -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.reception.verified(client, replace(principal(), **changes))
    if closed is None:
        assert client.user_id == 7
    else:
        assert link.closed == (4001, closed)


def test_no_sign_in_within_five_seconds_closes_with_4001() -> None:
    floor = Floor()
    _, link = floor.connect(token=None)
    floor.sweep(4.9)
    assert link.closed is None
    floor.sweep(5.1)
    assert link.closed == (4001, "no sign-in in time")


def test_a_token_that_waits_for_its_turn_is_not_the_client_s_delay() -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.sweep(60.0)
    assert link.closed is None
    floor.reception.verified(client, principal())
    assert client.user_id == 7


def test_the_end_of_a_token_is_announced_and_then_closes_with_4004() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    floor.wall = WALL + timedelta(seconds=871)
    floor.sweep(1.0)
    floor.sweep(2.0)
    (notice,) = link.said()
    assert (notice["type"], notice["code"]) == ("auth", "TOKEN_EXPIRING")
    floor.wall = WALL + timedelta(seconds=900)
    floor.sweep(3.0)
    assert link.closed == (4004, "TOKEN_EXPIRED")


def test_a_second_auth_extends_the_stay() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, '{"action":"auth","token":"new"}')
    floor.reception.verified(client, principal(session_id="s2", seconds=1_800))
    floor.wall = WALL + timedelta(seconds=1_000)
    floor.sweep(1.0)
    assert link.closed is None
    floor.reception.session_ended("s1")
    assert link.closed is None
    floor.reception.session_ended("s2")
    assert link.closed == (4004, "SESSION_ENDED")
    assert floor.reception.leftovers == 0


def test_another_users_token_on_a_live_socket_closes_with_4001() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, '{"action":"auth","token":"theirs"}')
    floor.reception.verified(client, principal(user_id=8))
    assert link.closed == (4001, "the token is another user's")


def test_a_session_that_ended_while_its_token_was_verified_is_not_let_in() -> None:
    floor = Floor()
    client, link = floor.connect()
    floor.reception.session_ended("s1")
    floor.reception.verified(client, principal())
    assert link.closed == (4004, "SESSION_ENDED")


def test_sixty_seconds_of_silence_close_with_1001() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    floor.say(client, '{"action":"ping"}', now=30.0)
    floor.sweep(89.0)
    assert link.closed is None
    floor.sweep(91.0)
    assert link.closed == (1001, "nothing heard")


def test_five_seconds_with_a_full_buffer_close_with_4002() -> None:
    floor = Floor()
    client, link = floor.sign_in()
    client.block(1.0)
    floor.sweep(5.9)
    assert link.closed is None
    floor.sweep(6.1)
    assert link.closed == (4002, "too slow")


def test_too_many_connections_of_a_user_close_with_4008() -> None:
    floor = Floor(Limits(connections_per_user=2))
    first, _ = floor.sign_in()
    floor.sign_in()
    _, link = floor.connect()
    floor.reception.verified(floor.doors.tokens[-1][0], principal())
    assert link.closed == (4008, "too many connections of this user")
    floor.reception.gone(first)
    assert floor.private.connections(7) == 1


def test_too_much_before_the_sign_in_is_refused() -> None:
    floor = Floor(Limits(backlog=2))
    client, link = floor.connect()
    for _ in range(3):
        floor.say(client, '{"action":"ping"}')
    assert link.closed == (1008, "too many messages before the sign-in")
