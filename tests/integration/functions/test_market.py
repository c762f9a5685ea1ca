"""Quotes, instruments, limits and the API's own pages on real stores."""

import json
import re
import uuid
from base64 import b64encode
from datetime import datetime
from hashlib import sha256

import pytest

from functions.market import handler as market
from functions.risk import handler as risk
from functions.shared.access.accounts import create_user
from functions.shared.access.keys import signing_key
from functions.shared.access.one_time_codes import new_secret
from functions.shared.access.principal import SCOPES
from functions.shared.access.tokens import issue_token
from functions.shared.clock import wall_now
from functions.shared.domain.sessions import Phase
from functions.shared.runtime.composition import Stores
from functions.shared.wire.feed_state import FEED_KEY, FeedState, encode_feed_state
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from tests.support.api_events import api_event, call
from tests.support.sessions import open_session

LEVELS = (14_122_000, 10, 1, *(0,) * 12, 14_124_000, 20, 2, *(0,) * 12)
RELIANCE = Quote(
    symbol="RELIANCE",
    token=1001,
    seq=7,
    timestamp_ms=1_790_000_000_123,
    ltp=14_123_500,
    last_quantity=5,
    open=14_100_000,
    high=14_200_000,
    low=14_000_000,
    close=14_000_000,
    volume=1_234,
    average=14_111_111,
    levels=LEVELS,
)


@pytest.fixture
def token(stores: Stores) -> str:
    now = wall_now()
    user_id = create_user(
        stores.shards,
        stores.secrets,
        username=f"u{uuid.uuid4().hex[:12]}",
        password="long enough",
        totp_secret=new_secret(),
    )
    session_id, _ = open_session(stores, user_id, now)
    return issue_token(
        signing_key(stores.secrets),
        user_id=user_id,
        session_id=session_id,
        roles=("user",),
        mode="PAPER",
        region="IN",
        scopes=SCOPES,
        kind="PERSON",
        now=now,
    )


@pytest.fixture
def quoted(stores: Stores) -> None:
    value = encode_value(encode_record(RELIANCE))
    stores.valkey.set(quote_key("RELIANCE"), value)


@pytest.mark.usefixtures("quoted")
def test_quotes_come_in_the_order_asked_with_null_for_the_unknown(
    token: str, stores: Stores
) -> None:
    event = api_event("GET", "/v1/quotes?symbols=TCS,RELIANCE", token=token)
    answer = call(market.lambda_handler, event)
    assert answer.status == 200
    tcs, reliance = answer.body["items"]
    assert (tcs["symbol"], tcs["ltp"], tcs["seq"]) == ("TCS", None, None)
    assert reliance == {
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "token": 1001,
        "ltp": "1412.35",
        "change": "12.35",
        "change_percent": "0.88",
        "bid": "1412.20",
        "ask": "1412.40",
        "last_quantity": 5,
        "volume": 1234,
        "open": "1410.00",
        "high": "1420.00",
        "low": "1400.00",
        "close": "1400.00",
        "average": "1411.1111",
        "timestamp": 1_790_000_000_123,
        "seq": 7,
        "stale": True,  # nobody vouches for it
    }
    state = encode_feed_state(FeedState(fence=1, stale=frozenset(), at=1))
    stores.valkey.set(FEED_KEY, state)
    fresh = call(market.lambda_handler, event).body["items"]
    assert [item["stale"] for item in fresh] == [True, False]  # TCS has no price at all


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/v1/quotes?symbols=RELIANCE,NOSUCH", 404, "UNKNOWN_SYMBOL"),
        ("/v1/quotes?symbols=,", 404, "UNKNOWN_SYMBOL"),
        ("/v1/quotes", 400, "INVALID_REQUEST"),
        ("/v1/instruments/NOSUCH", 404, "UNKNOWN_SYMBOL"),
        ("/v1/instruments/BSE:RELIANCE", 404, "UNKNOWN_SYMBOL"),
        ("/v1/instruments/%00", 400, "INVALID_REQUEST"),
    ],
)
def test_what_is_not_listed_is_named(token: str, target: str, status: int, code: str) -> None:
    answer = call(market.lambda_handler, api_event("GET", target, token=token))
    assert (answer.status, answer.body["code"]) == (status, code)


@pytest.mark.parametrize("path", ["M%26M", "M&M", "NSE:M&M"])
def test_an_instrument_is_read_by_its_symbol(token: str, path: str) -> None:
    event = api_event("GET", f"/v1/instruments/{path}", token=token)
    answer = call(market.lambda_handler, event)
    assert answer.status == 200
    assert answer.body["symbol"] == "M&M"
    low, high = float(answer.body["band_low"]), float(answer.body["band_high"])
    assert low < float(answer.body["close"]) < high
    assert answer.body["series"] == "EQ"
    assert answer.body["freeze_quantity"] > 0
    assert answer.body["phase"]


def test_the_market_says_its_phase_and_trade_date(token: str) -> None:
    answer = call(market.lambda_handler, api_event("GET", "/v1/market/status", token=token))
    assert answer.status == 200
    assert answer.body["phase"] in set(Phase)
    classes = {row["security_class"]: row["takes"] for row in answer.body["sessions"]}
    assert set(classes) == {"CLOSING_AUCTION", "OTHER"}
    assert answer.body["rule_set"] in {"S1", "S2", "S3"}
    assert answer.body["hours"] == "nse"
    business, wall = (datetime.fromisoformat(answer.body[n]) for n in ("time", "wall_time"))
    assert business <= wall <= wall_now()  # the stores' clock is the real one


def test_the_limits_in_force_are_dated_rows(token: str) -> None:
    answer = call(risk.lambda_handler, api_event("GET", "/v1/risk/limits", token=token))
    assert answer.status == 200
    rows = {row["code"]: row for row in answer.body["items"]}
    assert rows["ORDER_QUANTITY_MAX"]["value"] == "100000"
    assert rows["ORDER_VALUE_MAX"]["value"] == "100000000.00"
    assert (rows["SQUARE_OFF_FEE"]["value"], rows["SQUARE_OFF_FEE"]["unit"]) == ("59.00", "INR")
    assert all(row["valid_from"] and row["source"] for row in rows.values())


@pytest.mark.parametrize(
    "target", ["/v1/quotes?symbols=TCS", "/v1/instruments/TCS", "/v1/market/status"]
)
def test_the_market_is_closed_to_strangers(stores: Stores, target: str) -> None:
    assert call(market.lambda_handler, api_event("GET", target)).status == 401


def test_health_the_document_and_the_page_need_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        market, "_settings", lambda: market.MarketSettings(stream_url="ws://127.0.0.1:1/v1/stream")
    )
    health = call(market.lambda_handler, api_event("GET", "/health"))
    assert health.body == {"status": "ok", "stream": "ws://127.0.0.1:1/v1/stream"}
    document = call(market.lambda_handler, api_event("GET", "/v1/openapi.json"))
    assert json.dumps(document.body).count("/v1/orders/preview")
    page = call(market.lambda_handler, api_event("GET", "/docs"))
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # The page is nothing but what the policy lets it be: one style, no script, no style of a tag.
    [style] = re.findall("<style>(.*?)</style>", page.body, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert not re.search(r"<script|<img|<link|\sstyle=|\son[a-z]+=", page.body)
    anchors = set(re.findall(r'id="([^"]+)"', page.body))
    assert set(re.findall(r'href="#([^"]+)"', page.body)) <= anchors
    assert 'id="INVALID_REQUEST"' in page.body
    assert "/v1/orders/preview" in page.body
