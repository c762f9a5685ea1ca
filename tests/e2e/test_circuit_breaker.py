"""A market file lets the index fall through the first level of the circuit breaker: the whole stack
halts, waits it out, and opens again by a call auction.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import FINAL, Trader, eventually
from tui.client.market_status import MarketStatus
from tui.state.halts import HaltBanner, halt_banner
from tui.state.market import MarketClock

# Beside the others that run a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("own stacks")

INDIA = ZoneInfo("Asia/Kolkata")
SEEN_SECONDS = 120


def _start(folder: Path, at: datetime) -> tuple[str, ...]:
    """The options of a stack that starts at that business time, half an hour before the fall."""
    fall = (at + timedelta(minutes=30)).isoformat()
    events = (
        {"at": "+0s", "do": "list", "symbol": "NEWCO", "name": "New Company Limited",
         "price": "1000.00", "tick": "0.05"},  # within 20 %: the others stop at 10
        {"at": fall, "do": "index", "to": "-13%", "over": "20s"},
    )  # fmt: skip
    market, clock = folder / "market.jsonl", folder / "clock.json"
    market.write_text("".join(json.dumps(event) + "\n" for event in events))
    times = {"wall": datetime.now(UTC).isoformat(), "business": at.astimezone(UTC).isoformat()}
    clock.write_text(json.dumps({"version": 1, "hours": "always-open", "speed": 1.0, **times}))
    return "--market", str(market), "--clock", str(clock), "--rate", "2000"


def _times(price: Decimal, factor: str) -> str:
    return str((price * Decimal(factor)).quantize(Decimal(1)))


def _halted(trader: Trader, phase: str | None) -> Any:
    return eventually(
        lambda: trader.get("/v1/market/status"),
        lambda status: (status["halt"] or {}).get("phase") == phase,
        SEEN_SECONDS,
    )


def _banner(status: Any) -> HaltBanner | None:
    """What the terminal shows of that answer."""
    here = datetime.now(UTC)
    return halt_banner(MarketClock(msgspec.convert(status, MarketStatus), here), here)


def _listed(trader: Trader) -> Decimal:
    """The new share's price, once it is quoted."""
    eventually(
        lambda: trader.http.get("/v1/quotes", params={"symbols": "NEWCO"}),
        lambda answer: answer.status_code == 200 and answer.json()["items"][0]["bid"],
        SEEN_SECONDS,
    )
    return trader.price("NEWCO")


def _advance(stack: Stack, minutes: int) -> None:
    done = stack.outcry("clock", "advance", f"{minutes}m")
    assert done.returncode == 0, done.stderr


def _placed(trader: Trader, **order: Any) -> str:
    answer = trader.place(**order)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


def test_a_falling_market_halts_waits_and_opens_by_an_auction(tmp_path: Path) -> None:
    at = datetime.now(INDIA).replace(hour=10, minute=0, second=0, microsecond=0)
    with own_stack(*_start(tmp_path, at)) as stack:
        trader = stack.new_trader()
        price = _listed(trader)
        bought = _placed(trader, symbol="NEWCO", side="BUY", type="MARKET", quantity=10)
        trader.wait_for(bought, {"FILLED"})
        resting = _placed(
            trader, symbol="NEWCO", side="SELL", quantity=1, price=_times(price, "1.05")
        )
        trader.wait_for(resting, {"OPEN"})
        # The market stops before it, and is beyond it when it opens again.
        stop = _placed(
            trader, symbol="NEWCO", side="SELL", type="STOP", quantity=2,
            trigger_price=_times(price, "0.885"),
        )  # fmt: skip
        with trader.stream() as stream:
            stream.send(action="ping", id=1)
            stream.until(lambda message: message["type"] == "pong")
            _advance(stack, 30)
            told = stream.until(lambda m: m["type"] == "market" and m["halt"] is not None)
            assert (told["phase"], told["symbol"], told["security_class"]) == ("HALTED", None, None)
        status = _halted(trader, "HALTED")
        levelled = eventually(
            lambda: trader.get("/v1/market/status")["halt"], lambda h: h["level"] == 10, 60
        )
        assert 0 < levelled["seconds_left"] <= 45 * 60
        assert {each["phase"] for each in status["sessions"]} == {"HALTED"}
        banner = _banner(trader.get("/v1/market/status"))
        assert banner is not None
        assert banner.head == "MARKET HALTED"
        assert "breaker 10 % · call auction in 4" in banner.detail

        refused = trader.place(symbol="NEWCO", side="BUY", quantity=1, price=_times(price, "0.9"))
        (rule,) = refused.json()["rules"]
        assert (refused.status_code, rule["code"], rule["value"]) == (422, "MARKET_HALTED", "10")
        assert rule["limit"] == levelled["resumes_at"]
        stack.kill("ingest")  # and with it the watch
        assert trader.http.delete(f"/v1/orders/{resting}").status_code == 202
        assert trader.wait_for(resting, FINAL)["status"] == "CANCELLED"
        assert trader.order(stop)["status"] == "TRIGGER_PENDING"

        eventually(
            lambda: trader.place(
                symbol="NEWCO", side="BUY", quantity=1, price=_times(price, "0.9")
            ),
            lambda answer: [r["code"] for r in answer.json().get("rules", [])] == ["MARKET_HALTED"],
            SEEN_SECONDS,
        )

        _advance(stack, 45)
        status = _halted(trader, "REOPENING")
        collected = _banner(status)
        assert collected is not None
        assert collected.head == "CALL AUCTION"
        entered = _placed(trader, symbol="NEWCO", side="BUY", type="MARKET", quantity=1)
        assert trader.wait_for(entered, {"OPEN", "FILLED"})["status"] == "OPEN"
        assert trader.order(stop)["status"] == "TRIGGER_PENDING"

        _advance(stack, 15)
        assert _banner(_halted(trader, None)) is None
        assert trader.wait_for(entered, FINAL)["status"] == "FILLED"
        assert trader.wait_for(stop, FINAL)["status"] == "FILLED"
        verified = stack.outcry("ledger", "verify")
        assert verified.returncode == 0, verified.stdout
        reconciled = stack.outcry("reconcile")
        assert reconciled.returncode == 0, reconciled.stdout
