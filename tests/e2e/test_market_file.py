"""`outcry up --market FILE`: what the file says happens at the exchange reaches the user. Over TLS,
so that a whole stack runs that way, too.
"""

import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import FINAL, Trader, eventually

# Beside the others that run a stack of their own: one of them at a time.
pytestmark = pytest.mark.xdist_group("own stacks")

EVENTS = (
    {"at": "+0s", "do": "halt", "symbol": "TCS", "text": "news pending"},
    {"at": "+0s", "do": "price", "symbol": "ITC", "to": "-5%"},
)


def _below(trader: Trader, symbol: str) -> str:
    return str((trader.price(symbol) * Decimal("0.96")).quantize(Decimal(1)))


def _shown(trader: Trader, symbol: str, **facts: str) -> None:
    """Waits until the instrument is shown so."""
    eventually(
        lambda: trader.get(f"/v1/instruments/{symbol}"), lambda i: facts.items() <= i.items(), 120
    )


def _take_back(stack: Stack, trader: Trader, order_id: str) -> None:
    """The exchange busts the order's one trade: the user is told, and every book has it undone."""
    (fill,) = trader.order(order_id)["fills"]
    busted = httpx.post(
        f"{stack.status()['exchange']}/control", json={"do": "bust", "exec_id": fill["exec_id"]}
    )
    assert busted.status_code == httpx.codes.OK, busted.text
    order = eventually(lambda: trader.order(order_id), lambda o: o["status"] == "CANCELLED", 30)
    assert (order["reason"]["code"], order["fills"]) == ("TRADE_BUSTED", [])
    assert order["history"][-1]["kind"] == "FILL_BUSTED"


def _list_a_share(stack: Stack, trader: Trader) -> None:
    """What the exchange lists while all runs is quoted and traded here."""
    share = {"symbol": "NEWCO", "name": "New Company Limited", "price": "250.00", "tick": "0.05"}
    listed = httpx.post(f"{stack.status()['exchange']}/control", json={"do": "list", **share})
    assert listed.status_code == httpx.codes.OK, listed.text
    eventually(
        lambda: trader.http.get("/v1/quotes", params={"symbols": "newco"}),
        lambda answer: answer.status_code == httpx.codes.OK and answer.json()["items"][0]["bid"],
        120,
    )
    assert trader.get("/v1/instruments/NEWCO")["name"] == "New Company Limited"
    order = trader.place(symbol="NEWCO", side="BUY", quantity=1, price="260.00").json()
    assert trader.wait_for(order["order_id"], FINAL)["status"] == "FILLED"


def test_what_the_exchange_does_by_itself_is_seen_and_all_books_agree(
    tmp_path: Path,
) -> None:
    file = tmp_path / "market.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    with own_stack("--market", str(file), "--rate", "2000", "--fix-tls") as stack:
        trader = stack.new_trader()
        quote = eventually(
            lambda: trader.get("/v1/quotes", symbols="ITC")["items"][0],
            lambda q: Decimal(q["change_percent"]) < -4,
            120,
        )
        assert Decimal(quote["change_percent"]) > -6
        _shown(trader, "TCS", phase="HALTED")
        halted = trader.place(symbol="TCS", side="BUY", quantity=1, price="3000")
        refused = trader.wait_for(halted.json()["order_id"], FINAL)
        assert (halted.status_code, refused["status"]) == (422, "DENIED")
        assert "news pending" in refused["reason"]["message"]
        price = str((trader.price("INFY") * Decimal("1.01")).quantize(Decimal(1)))
        traded = trader.place(symbol="INFY", side="BUY", quantity=1, price=price)
        assert trader.wait_for(traded.json()["order_id"], FINAL)["status"] == "FILLED"
        resting = trader.place(symbol="SBIN", side="BUY", quantity=1, price=_below(trader, "SBIN"))
        trader.wait_for(resting.json()["order_id"], {"OPEN"})
        high = str((trader.price("SBIN") * Decimal("1.01")).quantize(Decimal(1)))
        low = str((trader.price("SBIN") * Decimal("0.99")).quantize(Decimal(1)))
        moved = httpx.post(
            f"{stack.status()['exchange']}/control",
            json={"do": "band", "symbol": "SBIN", "low": f"{low}.00", "high": f"{high}.00"},
        )
        assert moved.status_code == httpx.codes.OK, moved.text
        cancelled = trader.wait_for(resting.json()["order_id"], FINAL)
        assert cancelled["status"] == "CANCELLED"
        _shown(trader, "SBIN", band_low=f"{low}.00", band_high=f"{high}.00")
        outside = trader.place(symbol="SBIN", side="BUY", quantity=1, price=_below(trader, "SBIN"))
        assert [rule["code"] for rule in outside.json()["rules"]] == ["PRICE_OUTSIDE_BAND"]
        _take_back(stack, trader, traded.json()["order_id"])
        with trader.stream() as stream:
            stream.send(action="ping", id=1)
            stream.until(lambda message: message["type"] == "pong")  # it is signed in
            lifted = httpx.post(
                f"{stack.status()['exchange']}/control", json={"do": "lift", "symbol": "TCS"}
            )
            assert lifted.status_code == httpx.codes.OK, lifted.text
            told = stream.until(lambda message: message.get("symbol") == "TCS")
            assert (told["type"], told["phase"]) == ("market", "REOPENING")
        _shown(trader, "TCS", phase="REOPENING")  # its call auction takes orders
        assert trader.place(symbol="TCS", side="BUY", quantity=1, price="3000").status_code == 202
        _list_a_share(stack, trader)
        reconciled = stack.outcry("reconcile")
        assert reconciled.returncode == 0, reconciled.stdout
        assert "|49=OUTCRY-D1|" in stack.outcry("logs", "gateway", "--fix").stdout
        assert stack.outcry("up", "--market", "/nowhere").returncode == 2
