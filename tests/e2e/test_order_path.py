"""One order through the whole of Outcry, as a user and as a program would send it."""

import uuid
from decimal import Decimal

from tests.support.stack import Stack
from tests.support.trader import FINAL, Trader, eventually

PAISA = Decimal("0.01")


def marketable(trader: Trader, symbol: str) -> str:
    """A limit that crosses the spread and stays inside the band, on every tick of a rupee."""
    return str((trader.price(symbol) * Decimal("1.01")).quantize(Decimal(1)))


def test_ten_shares_are_bought_filled_held_and_paid_for_to_the_paisa(stack: Stack) -> None:
    trader = stack.trader()
    before = trader.get("/v1/funds")
    worth = sum(Decimal(h["value"] or 0) for h in trader.get("/v1/holdings")["items"])
    with trader.stream() as stream:
        stream.send(action="subscribe", symbols=["INFY"], mode="ltp")
        stream.until(lambda o: o["type"] == "quote" and o["symbol"] == "INFY")
        answer = trader.place(
            symbol="INFY", side="BUY", quantity=10, price=marketable(trader, "INFY")
        )
        assert answer.status_code == 202, answer.text
        order = answer.json()
        assert order["status"] == "PENDING"
        mine = order["order_id"]
        stream.until(
            lambda o: o["type"] == "order" and o["order_id"] == mine and o["status"] == "FILLED"
        )
        after_fill = [o for o in stream.seen if o["type"] == "funds"][-1]
        assert [o for o in stream.seen if o["type"] == "holding"]
        fills = [o for o in stream.seen if o["type"] == "fill" and o["order_id"] == mine]
        paid = sum(Decimal(f["value"]) + Decimal(f["charges"]) for f in fills)
        stream.until(
            lambda o: (
                o["type"] == "portfolio" and Decimal(o["holdings_value"] or 0) > worth + paid / 2
            )
        )
    assert sum(f["quantity"] for f in fills) == 10
    funds = trader.get("/v1/funds")
    assert Decimal(before["cash"]) - paid == Decimal(funds["cash"])
    assert Decimal(after_fill["cash"]) == Decimal(funds["cash"])
    assert Decimal(funds["held"]) == Decimal(before["held"])
    holding = next(h for h in trader.get("/v1/holdings")["items"] if h["symbol"] == "INFY")
    assert holding["quantity"] >= 10
    assert holding["bought_today"] == holding["quantity"]
    detail = trader.order(mine)
    assert [row["kind"] for row in detail["history"]][:2] == ["ORDER_PLACED", "ORDER_ACKNOWLEDGED"]
    assert detail["fills"] == [
        {k: v for k, v in f.items() if k not in {"type", "user_seq"}} for f in fills
    ]
    assert stack.outcry("ledger", "verify").returncode == 0
    assert stack.outcry("reconcile").returncode == 0


def test_user_events_arrive_without_a_gap_and_resume_where_they_stopped(stack: Stack) -> None:
    trader = stack.trader()
    start = trader.get("/v1/funds")["seq"]
    answers = [
        trader.place(symbol="TCS", side="BUY", quantity=1, price=marketable(trader, "TCS"))
        for _ in range(3)
    ]
    for answer in answers:
        trader.wait_for(answer.json()["order_id"], {"FILLED"})
    last = trader.get("/v1/funds")["seq"]
    with trader.stream() as stream:
        stream.send(action="resume", seq=start)
        stream.until(lambda o: o.get("user_seq") == last)
        seqs = list(dict.fromkeys(o["user_seq"] for o in stream.seen if "user_seq" in o))
    assert seqs == list(range(start + 1, last + 1))


def test_the_same_id_and_body_give_the_first_answer_and_another_body_a_conflict(
    stack: Stack,
) -> None:
    trader = stack.trader()
    body = {
        "client_order_id": str(uuid.uuid4()), "symbol": "SBIN", "side": "BUY", "type": "LIMIT",
        "quantity": 1, "price": marketable(trader, "SBIN"),
    }  # fmt: skip
    first = trader.http.post("/v1/orders", json=body)
    trader.wait_for(first.json()["order_id"], {"FILLED"})
    again = trader.http.post("/v1/orders", json=body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    assert trader.http.post("/v1/orders", json={**body, "quantity": 2}).status_code == 409


def test_a_refused_order_names_every_rule_and_is_refused_again_the_same_way(stack: Stack) -> None:
    trader = stack.trader()
    body = {
        "client_order_id": str(uuid.uuid4()), "symbol": "INFY", "side": "BUY", "type": "LIMIT",
        "quantity": 9_000, "price": "1.03",
    }  # fmt: skip
    first = trader.http.post("/v1/orders", json=body)
    assert first.status_code == 422
    problem = first.json()
    codes = {rule["code"] for rule in problem["rules"]}
    assert codes == {"PRICE_OFF_TICK", "PRICE_OUTSIDE_BAND"}
    assert all(rule["nearest"] for rule in problem["rules"])
    again = trader.http.post("/v1/orders", json=body)
    assert again.status_code == 422
    assert again.json()["order_id"] == problem["order_id"]
    assert trader.order(problem["order_id"])["status"] == "DENIED"


def test_a_resting_order_is_modified_then_cancelled_and_its_money_comes_back(stack: Stack) -> None:
    trader = stack.trader()
    before = Decimal(trader.get("/v1/funds")["available"])
    low = str((trader.price("ITC") * Decimal("0.95")).quantize(Decimal(1)))
    placed = trader.place(symbol="ITC", side="BUY", quantity=5, price=low).json()
    order = trader.wait_for(placed["order_id"], {"OPEN"})
    assert Decimal(trader.get("/v1/funds")["available"]) < before
    path = f"/v1/orders/{order['order_id']}"
    changed = trader.http.patch(
        path, json={"request_id": "more", "version": order["version"], "quantity": 7}
    )
    assert changed.status_code == 202, changed.text
    assert changed.json()["pending_change"] == "MODIFY"
    eventually(
        lambda: trader.order(order["order_id"]),
        lambda o: o["quantity"] == 7 and o["pending_change"] is None, 120,
    )  # fmt: skip
    assert trader.http.delete(path).status_code == 202
    trader.wait_for(order["order_id"], {"CANCELLED"})
    assert Decimal(trader.get("/v1/funds")["available"]) == before
    assert trader.http.delete(path).status_code == 409


def test_shares_are_sold_by_a_market_order_and_no_more_than_are_held(stack: Stack) -> None:
    trader = stack.trader()
    bought = trader.place(
        symbol="WIPRO", side="BUY", quantity=4, price=marketable(trader, "WIPRO")
    ).json()
    trader.wait_for(bought["order_id"], {"FILLED"})
    cash = Decimal(trader.get("/v1/funds")["cash"])
    sold = trader.place(symbol="WIPRO", side="SELL", type="MARKET", quantity=4)
    assert sold.status_code == 202, sold.text
    order = trader.wait_for(sold.json()["order_id"], FINAL)
    assert order["status"] == "FILLED"
    assert Decimal(trader.get("/v1/funds")["cash"]) > cash
    refused = trader.place(symbol="WIPRO", side="SELL", type="MARKET", quantity=4)
    assert refused.status_code == 422
    assert refused.json()["rules"][0]["code"] == "INSUFFICIENT_HOLDINGS"


def test_a_preview_answers_what_placing_would_and_writes_nothing(stack: Stack) -> None:
    trader = stack.trader()
    seq = trader.get("/v1/funds")["seq"]
    body = {"symbol": "INFY", "side": "BUY", "type": "LIMIT", "quantity": 10,
            "price": marketable(trader, "INFY")}  # fmt: skip
    preview = trader.http.post("/v1/orders/preview", json=body).json()
    assert preview["accepted"] is True
    assert preview["rules"] == []
    total = sum(Decimal(v) for head, v in preview["charges"].items() if head != "total")
    assert total == Decimal(preview["charges"]["total"])
    assert Decimal(preview["value"]) + total == Decimal(preview["margin"])
    assert preview["largest_quantity"] > 10
    assert trader.get("/v1/funds")["seq"] == seq
