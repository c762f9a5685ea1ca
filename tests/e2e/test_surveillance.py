"""Wash trades on the running stack: one restriction though the watch is killed, and its review."""

import json
import time
from typing import Any

from tests.support.eventually import wait_until
from tests.support.stack import Stack
from tests.support.trader import Trader

SYMBOL = "TCS"
PAUSE_SECONDS = 0.12  # RETAIL places at most ten orders a second


def market(trader: Trader, side: str) -> Any:
    time.sleep(PAUSE_SECONDS)
    return trader.place(symbol=SYMBOL, side=side, type="MARKET", quantity=1, product="MIS")


def wash(trader: Trader, times: int) -> None:
    for _ in range(times):
        for side in ("BUY", "SELL"):
            placed = market(trader, side)
            assert placed.status_code == 202, placed.text
            trader.wait_for(placed.json()["order_id"], {"FILLED"})


def retail(stack: Stack, count: int) -> list[dict[str, str]]:
    done = stack.outcry("demo-user", "--count", str(count), "--class", "RETAIL", "--json")
    assert done.returncode == 0, done.stderr
    users: list[dict[str, str]] = json.loads(done.stdout)
    return users


def kinds(trader: Trader) -> list[str]:
    return [event["kind"] for event in trader.get("/v1/ledger", limit=500)["items"]]


def test_wash_trades_restrict_once_though_the_watch_is_killed_and_a_dismissal_frees(
    stack: Stack,
) -> None:
    [one, officer] = retail(stack, 2)
    done = stack.outcry("users", "role", officer["username"], "risk_officer", "--why", "review")
    assert done.returncode == 0, done.stderr
    trader, risk = stack.signed_in(one), stack.signed_in(officer)
    user_id = trader.get("/v1/profile")["user_id"]
    wash(trader, 4)
    stack.kill("surveillance")
    wash(trader, 7)
    stack.kill("surveillance")
    wait_until(lambda: "SYMBOL_RESTRICTED" in kinds(trader))
    refused = market(trader, "BUY")
    assert refused.status_code == 422
    assert [rule["code"] for rule in refused.json()["rules"]] == ["SYMBOL_RESTRICTED"]
    stack.kill("surveillance")
    items = risk.get("/v1/admin/alerts", state="OPEN", limit=500)["items"]
    [alert] = [a for a in items if (a["user_id"], a["rule"]) == (user_id, "WASH_TRADING")]
    assert alert["reasons"][0] == {
        "code": "ROUND_TRIPS", "value": "11", "limit": "10", "points": 70,
    }  # fmt: skip
    path = f"/v1/admin/alerts/{alert['alert_id']}/dismiss"
    dismissed = risk.http.post(path, json={"why": "a test of the watch"})
    assert (dismissed.status_code, dismissed.json()["applied"]) == (200, True)
    assert market(trader, "BUY").status_code == 202
    restrictions = [kind for kind in kinds(trader) if kind.startswith("SYMBOL_")]
    assert sorted(restrictions) == ["SYMBOL_RESTRICTED", "SYMBOL_RESTRICTION_ENDED"]
