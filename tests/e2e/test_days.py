"""Days pass on a running stack because its clock is moved, and the jobs of the day's end run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import Trader, eventually

# Beside the others that run a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("own stacks")

INDIA = ZoneInfo("Asia/Kolkata")
#: A schedule looks at the clock five times a second; the job itself takes milliseconds.
JOB_SECONDS = 120.0
#: Until a part that was killed is back and has caught up.
BACK_SECONDS = 90.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of this module's own: it moves the clock."""
    with own_stack() as running:
        yield running


@pytest.fixture(scope="module")
def trader(stack: Stack) -> Trader:
    return stack.trader()


def trade(trader: Trader, side: str, quantity: int, **more: Any) -> None:
    """A market order of INFY, filled."""
    answer = trader.place(symbol="INFY", side=side, type="MARKET", quantity=quantity, **more)
    assert answer.status_code == 202, answer.text
    trader.wait_for(answer.json()["order_id"], {"FILLED"})


def holding(trader: Trader) -> Any:
    items = trader.get("/v1/holdings")["items"]
    return next((item for item in items if item["symbol"] == "INFY"), None)


def kinds(trader: Trader) -> list[str]:
    return [event["kind"] for event in trader.get("/v1/ledger", limit=500)["items"]]


def advance(stack: Stack, span: str) -> datetime:
    """Moves the business clock; gives the time it then is, in India."""
    done = stack.outcry("clock", "advance", span)
    assert done.returncode == 0, done.stderr
    return datetime.fromisoformat(done.stdout.strip()).astimezone(INDIA)


def to_time(stack: Stack, hour: int, minute: int) -> None:
    """The next time the clock of India shows that."""
    now = advance(stack, "0m")
    wanted = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if wanted <= now:
        wanted += timedelta(days=1)
    advance(stack, f"{int((wanted - now).total_seconds()) // 60 + 1}m")


def test_a_day_later_shares_are_settled_and_blocked_proceeds_are_free(
    stack: Stack, trader: Trader
) -> None:
    to_time(stack, 10, 0)
    trade(trader, "BUY", 10)
    bought = holding(trader)
    assert (bought["bought_today"], bought["settled"]) == (10, 0)
    advance(stack, "1d")
    there = holding(trader)
    assert (there["bought_today"], there["t1"], there["settled"]) == (0, 0, 10)
    trade(trader, "SELL", 5)
    assert Decimal(trader.get("/v1/funds")["blocked"]) > 0
    with trader.stream() as stream:
        advance(stack, "1d")
        # Nobody asks for anything: the schedule settles, and says so.
        told = stream.until(lambda o: o["type"] == "funds", JOB_SECONDS)
    assert (told["blocked"], told["unsettled"]) == ("0.00", "0.00")
    assert "SETTLED" in kinds(trader)
    assert stack.outcry("ledger", "verify").returncode == 0


def test_an_intraday_position_is_squared_off_at_the_market_and_charged_for(
    stack: Stack, trader: Trader
) -> None:
    to_time(stack, 22, 0)
    trade(trader, "BUY", 10, product="MIS")
    answer = trader.place(
        symbol="INFY",
        side="BUY",
        quantity=1,
        product="MIS",
        price=str((trader.price("INFY") * Decimal("0.97")).quantize(Decimal(1))),
    )
    assert answer.status_code == 202, answer.text
    to_time(stack, 23, 49)
    trader.wait_for(answer.json()["order_id"], {"CANCELLED"}, JOB_SECONDS)
    advance(stack, "1m")
    orders = eventually(
        lambda: trader.get("/v1/orders", limit=5)["items"],
        lambda found: (
            found[0]["client_order_id"].startswith("SQ-") and found[0]["status"] == "FILLED"
        ),
        JOB_SECONDS,
    )
    assert (orders[0]["side"], orders[0]["quantity"]) == ("SELL", 10)
    refused = trader.place(symbol="INFY", side="BUY", type="MARKET", quantity=1, product="MIS")
    assert [rule["code"] for rule in refused.json()["rules"]] == ["MIS_CUT_OFF"]
    advance(stack, "1m")
    eventually(lambda: kinds(trader), lambda seen: "SQUARE_OFF_CHARGED" in seen, JOB_SECONDS)
    assert Decimal(trader.get("/v1/funds")["held"]) == 0
    assert stack.outcry("ledger", "verify").returncode == 0


def test_what_nobody_squared_off_is_delivered_when_the_day_is_over(
    stack: Stack, trader: Trader
) -> None:
    to_time(stack, 10, 0)
    before = (holding(trader) or {"quantity": 0})["quantity"]
    trade(trader, "BUY", 3, product="MIS")
    advance(stack, "1d")  # past the cut-off and the close in one move
    after = eventually(
        lambda: holding(trader),
        lambda found: found is not None and found["quantity"] == before + 3,
        JOB_SECONDS,
    )
    assert after["settled"] == after["quantity"]
    assert "POSITION_DELIVERED" in kinds(trader)
    assert stack.outcry("ledger", "verify").returncode == 0
    assert stack.outcry("reconcile").returncode == 0


def test_a_contract_note_is_there_after_the_close_and_agrees_with_the_ledger(
    stack: Stack, trader: Trader
) -> None:
    to_time(stack, 10, 0)
    trade(trader, "BUY", 10)
    trade(trader, "SELL", 4)
    day = advance(stack, "0m").date().isoformat()
    assert trader.http.get(f"/v1/contract-notes/{day}").status_code == 404
    advance(stack, "1d")
    listed = eventually(
        lambda: trader.get("/v1/contract-notes")["items"],
        lambda found: bool(found) and found[0]["trade_date"] == day,
        JOB_SECONDS,
    )
    note = trader.get(f"/v1/contract-notes/{day}")
    assert note["number"] == listed[0]["number"]
    (line,) = note["securities"]
    assert (line["squared_off"], line["delivered"]) == (4, 6)
    event = trader.get("/v1/ledger", cursor=note["seq"] - 1, limit=1)["items"][0]
    assert event["kind"] == "CONTRACT_NOTE"
    page = trader.http.get(
        f"/v1/contract-notes/{day}",
        params={"format": "pdf"},
        headers={"Accept": "application/pdf"},
    )
    assert page.content.startswith(b"%PDF-")
    assert stack.outcry("ledger", "verify").returncode == 0


def test_orders_live_as_long_as_they_were_told_to(stack: Stack, trader: Trader) -> None:
    to_time(stack, 11, 0)
    price = trader.price("INFY")
    far, near = str((price * Decimal("0.93")).quantize(Decimal(1))), str(int(price * 2))

    def placed(**order: Any) -> str:
        answer = trader.place(symbol="INFY", side="BUY", quantity=1, **order)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["order_id"])

    minutes = placed(price=far, validity="TTL", validity_minutes=5)
    trigger = str((price * Decimal("1.06")).quantize(Decimal(1)))
    stop = placed(type="STOP", trigger_price=trigger)
    gtt = placed(price=near, validity="GTT", trigger_price=near)
    gtc = placed(price=far, validity="GTC")
    trader.wait_for(minutes, {"OPEN"}, JOB_SECONDS)
    advance(stack, "6m")
    trader.wait_for(minutes, {"CANCELLED"}, JOB_SECONDS)
    advance(stack, "1d")
    trader.wait_for(stop, {"EXPIRED"}, JOB_SECONDS)
    trader.wait_for(gtc, {"EXPIRED"}, JOB_SECONDS)

    def renewed() -> list[Any]:
        orders = trader.get("/v1/orders", limit=10)["items"]
        return [o for o in orders if o["parent_order_id"] == gtc and o["status"] == "OPEN"]

    (again,) = eventually(renewed, bool, JOB_SECONDS)
    assert (again["price"], again["validity"]) == (f"{far}.00", "GTC")
    assert trader.order(gtt)["status"] == "TRIGGER_PENDING"
    trader.http.delete("/v1/orders")
    trader.wait_for(again["order_id"], {"CANCELLED"}, JOB_SECONDS)
    assert trader.order(gtt)["status"] == "CANCELLED"
    assert stack.outcry("ledger", "verify").returncode == 0
    assert stack.outcry("reconcile").returncode == 0


def plan(trader: Trader, **terms: Any) -> str:
    """The number of a plan of INFY at the market."""
    body = {"client_id": terms["kind"], "symbol": "INFY", "side": "BUY", **terms}
    answer = trader.http.post("/v1/plans", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["plan_id"])


def plan_with(trader: Trader, number: str, **wanted: Any) -> Any:
    """The plan once it shows that."""
    return eventually(
        lambda: trader.get(f"/v1/plans/{number}"),
        lambda found: all(found[name] == value for name, value in wanted.items()),
        BACK_SECONDS,
    )


@pytest.mark.timeout(400)
def test_an_iceberg_goes_by_its_fills_and_a_twap_by_the_clock_though_the_booker_is_killed(
    stack: Stack, trader: Trader
) -> None:
    to_time(stack, 12, 0)
    iceberg = plan(trader, kind="ICEBERG", quantity=23, legs=10)
    plan_with(trader, iceberg, state="COMPLETED", filled_quantity=23)
    now = advance(stack, "0m")
    ends = (now + timedelta(minutes=28)).isoformat()
    twap = plan(trader, kind="TWAP", quantity=8, ends_at=ends, interval_minutes=10)
    assert [s["planned_quantity"] for s in trader.get(f"/v1/plans/{twap}")["slices"]] == [3, 3, 2]
    plan_with(trader, twap, filled_quantity=3)
    stack.kill("ledger")
    advance(stack, "10m")
    plan_with(trader, twap, filled_quantity=6)
    advance(stack, "10m")
    done = plan_with(trader, twap, state="COMPLETED")
    assert [each["quantity"] for each in done["slices"]] == [3, 3, 2]
    orders = [o for o in trader.every_order() if o["parent_order_id"] in (iceberg, twap)]
    assert sum(o["filled_quantity"] for o in orders) == 31
    assert len(orders) == 13
    for command in ("verify", "rebuild"):
        verified = stack.outcry("ledger", command)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    eventually(lambda: stack.outcry("reconcile"), lambda done: done.returncode == 0, BACK_SECONDS)


def test_what_moved_is_anchored_within_the_minute(stack: Stack, trader: Trader) -> None:
    def anchors() -> int:
        return len(list((stack.home / "objects" / "anchors").glob("*/*/checkpoint")))

    before = anchors()
    trade(trader, "BUY", 1)
    advance(stack, "1m")
    eventually(anchors, lambda count: count > before, JOB_SECONDS)
    for command in ("verify", "rebuild", "trial-balance"):
        done = stack.outcry("ledger", command)
        assert done.returncode == 0, done.stdout + done.stderr
