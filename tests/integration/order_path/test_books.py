"""Funds, holdings, positions and the portfolio as the days move, by API events, really booked."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from functions.shared.domain.orders import Product, Side
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.day_end import close_out, value_shortage
from tests.support.ledger import Trader


class Day:
    """A user of the API beside the venue's word about its orders, on one clock."""

    def __init__(self, client: Client, stores: OrderStores) -> None:
        self.client = client
        self.trader = Trader(stores.shards, client.user_id)
        self._stores = stores
        stores.quote("ACME", 102)

    def next(self) -> None:
        """Noon of the day on which today's trades settle."""
        self.trader.settle()
        self._stores.clock.at = self.trader.now

    def trade(
        self, side: Side, quantity: int, rupees: float = 100, product: Product = Product.CNC
    ) -> None:
        order_id = (self.trader.buy if side is Side.BUY else self.trader.sell)(
            quantity, rupees, product
        )
        self.trader.fill(order_id, quantity, rupees)

    def ask(self, path: str) -> Any:
        return self.client.ask("GET", f"/v1/{path}").body

    def holding(self) -> dict[str, Any]:
        (holding,) = self.ask("holdings")["items"]
        assert holding["quantity"] == sum(holding[k] for k in ("settled", "t1", "bought_today"))
        return holding


@pytest.fixture
def day(client: Client, stores: OrderStores) -> Day:
    return Day(client, stores)


def test_a_holding_shows_what_is_settled_what_comes_tomorrow_and_what_was_bought_today(
    day: Day,
) -> None:
    day.trade(Side.BUY, 10)
    bought = day.holding()
    assert (bought["settled"], bought["t1"], bought["bought_today"]) == (0, 0, 10)
    day.next()
    settled = day.holding()
    assert (settled["settled"], settled["t1"], settled["bought_today"]) == (10, 0, 0)
    day.trade(Side.BUY, 5)
    both = day.holding()
    assert (both["settled"], both["t1"], both["bought_today"]) == (10, 0, 5)
    assert (both["average_price"], both["ltp"], both["value"]) == ("100.0000", "102.00", "1530.00")


def test_what_can_be_sold_leaves_out_open_sells_and_pledged_shares(
    day: Day, stores: OrderStores
) -> None:
    day.trade(Side.BUY, 10)
    day.next()
    day.trader.sell(4, 103)
    stores.shards.of_user(day.client.user_id).run(
        "SELECT outcome FROM ledger.set_pledge(:user, 'ACME', 5, :today, :now)",
        user=day.client.user_id, today=day.trader.today, now=day.trader.now,
    )  # fmt: skip
    holding = day.holding()
    assert (holding["quantity"], holding["pledged"], holding["free_quantity"]) == (10, 5, 1)


def test_a_part_of_the_proceeds_is_blocked_until_they_settle(day: Day) -> None:
    day.trade(Side.BUY, 100)
    day.next()
    day.trade(Side.SELL, 100)
    funds = {k: Decimal(v) for k, v in day.ask("funds").items() if k not in {"currency", "seq"}}
    assert funds["unsettled"] > funds["blocked"] == 2000  # a fifth of what settled shares brought
    assert funds["available"] == funds["cash"] - funds["held"] - funds["blocked"]
    assert funds["withdrawable"] == funds["cash"] - funds["unsettled"]
    day.next()
    later = day.ask("funds")
    assert (later["blocked"], later["unsettled"]) == ("0.00", "0.00")
    assert later["withdrawable"] == later["available"] == later["cash"]


def test_a_days_delivery_trades_close_against_each_other_at_their_averages(day: Day) -> None:
    day.trade(Side.BUY, 6, 100)
    day.trade(Side.BUY, 4, 105)
    day.trade(Side.SELL, 5, 104)
    (position,) = day.ask("positions")["items"]
    assert (position["product"], position["quantity"]) == ("CNC", 5)
    assert (position["buy_quantity"], position["buy_average"]) == (10, "102.0000")
    assert (position["sell_quantity"], position["sell_average"]) == (5, "104.0000")
    assert (position["average_price"], position["realised_pnl"]) == ("102.0000", "10.00")
    assert (position["unrealised_pnl"], position["day_pnl"]) == ("0.00", "10.00")
    day.next()
    assert day.ask("positions")["items"] == []
    assert day.holding()["settled"] == 5


def test_selling_what_was_held_before_is_a_position_below_zero(day: Day) -> None:
    day.trade(Side.BUY, 10, 100)
    day.next()
    day.trade(Side.SELL, 4, 101)
    (position,) = day.ask("positions")["items"]
    assert (position["quantity"], position["average_price"]) == (-4, "101.0000")
    assert (position["realised_pnl"], position["unrealised_pnl"]) == ("0.00", "-4.00")


def test_intraday_stands_apart_long_or_short_and_blocks_its_margin(day: Day) -> None:
    day.trade(Side.SELL, 10, 104, Product.MIS)
    (short,) = day.ask("positions")["items"]
    assert (short["product"], short["quantity"], short["value"]) == ("MIS", -10, "-1020.00")
    assert (short["average_price"], short["unrealised_pnl"]) == ("104.0000", "20.00")
    assert short["margin"] == day.ask("funds")["held"] != "0.00"
    assert day.ask("holdings")["items"] == []
    day.trade(Side.BUY, 10, 101, Product.MIS)
    (flat,) = day.ask("positions")["items"]
    assert (flat["quantity"], flat["average_price"], flat["margin"]) == (0, None, "0.00")
    assert (flat["realised_pnl"], flat["unrealised_pnl"], flat["day_pnl"]) == (
        "30.00",
        "0.00",
        "30.00",
    )


def test_positions_are_paged_by_product_and_symbol(day: Day) -> None:
    day.trade(Side.BUY, 1)
    day.trade(Side.BUY, 2, 100, Product.MIS)
    first = day.ask("positions?limit=1")
    assert (first["items"][0]["product"], first["next"]) == ("CNC", "CNC:ACME:739807")
    second = day.ask(f"positions?limit=1&cursor={first['next']}")
    assert (second["items"][0]["product"], second["next"]) == ("MIS", "MIS:ACME:739807")
    last = day.ask(f"positions?limit=1&cursor={second['next']}")
    assert (last["items"], last["next"]) == ([], None)
    for cursor in ("ACME", "MIS:ACME", "MIS:ACME:000001", "MIS:ACME:2026-07-10"):
        assert day.client.ask("GET", f"/v1/positions?cursor={cursor}").status == 400


def test_what_is_open_of_the_day_before_is_on_a_page_of_its_own(day: Day) -> None:
    day.trade(Side.SELL, 5, 100, Product.MIS)
    day.next()
    day.trade(Side.BUY, 2, 100, Product.MIS)
    quantities, cursor = [], ""
    while True:
        page = day.ask(f"positions?limit=1{cursor}")
        quantities += [position["quantity"] for position in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert quantities == [-5, 2]


def test_the_portfolio_is_cash_with_what_shares_and_open_positions_would_bring(
    day: Day, stores: OrderStores
) -> None:
    day.trade(Side.BUY, 10, 100)
    day.trade(Side.SELL, 20, 104, Product.MIS)
    portfolio = day.ask("portfolio")
    assert [h["quantity"] for h in portfolio["holdings"]] == [10]
    assert [p["product"] for p in portfolio["positions"]] == ["CNC", "MIS"]
    cash = Decimal(portfolio["funds"]["cash"])
    assert Decimal(portfolio["value"]) == cash + 10 * 102 + 20 * (104 - 102)
    stores.valkey.flushall()
    away = day.ask("portfolio")
    assert away["value"] is None
    assert all(p["unrealised_pnl"] is None for p in away["positions"])


def test_a_short_delivery_moves_the_portfolio_by_its_prices_alone(day: Day) -> None:
    """The valuation leaves the cash on pay-in day, but it is still the client's."""
    day.trade(Side.SELL, 50, 100, Product.MIS)
    before = day.ask("portfolio")
    assert before["funds"]["short_delivery"] == "0.00"
    day.next()
    assert value_shortage(day.trader, 102)
    valued = day.ask("portfolio")
    assert valued["value"] == before["value"]
    assert valued["funds"]["short_delivery"] == "5100.00"
    for_orders = Decimal(before["funds"]["available"]) - Decimal(valued["funds"]["available"])
    assert for_orders == Decimal("5100.00")
    assert close_out(day.trader, 102)
    closed = day.ask("portfolio")
    assert closed["funds"] == day.ask("funds")
    assert closed["funds"]["short_delivery"] == "0.00"
    penalty = Decimal("2.55") + Decimal("0.46")
    assert Decimal(closed["value"]) == Decimal(before["value"]) - penalty
    told = [entry["description"] for entry in day.ask("statements")["entries"]]
    assert told[1].startswith("Sold 50 ACME intraday at 100.00, charges ")
    assert told[2:] == [
        "50 ACME sold on 2026-07-10 and not delivered, valued at 102.00 until they are closed out",
        (
            "50 ACME sold on 2026-07-10 and not delivered, closed out at 102.00: proceeds 5000.00,"
            " valuation returned 5100.00, close-out -5100.00, penalty -2.55, GST -0.46"
        ),
    ]


def test_money_in_and_out_is_named_by_its_payment_and_its_key(day: Day) -> None:
    day.client.ask("POST", "/v1/funds/withdrawals", {"client_id": "rent", "amount": "100.00"})
    added, withdrawn = day.ask("statements")["entries"]
    assert (added["client_id"], withdrawn["client_id"]) == ("start", "rent")
    assert int(added["payment_id"]) < int(withdrawn["payment_id"])
    *_, last, _ = csv.DictReader(io.StringIO(day.ask("statements?format=csv")))
    assert (last["payment_id"], last["client_id"]) == (withdrawn["payment_id"], "rent")


def test_each_fill_of_an_order_names_its_charges_by_head_and_when_it_settles(day: Day) -> None:
    order_id = day.trader.buy(100)
    day.trader.fill(order_id, 60)
    day.trader.fill(order_id, 40)
    fills = day.ask(f"orders/{order_id}")["fills"]
    assert [fill["quantity"] for fill in fills] == [60, 40]
    for fill in fills:
        heads = sum(Decimal(paise) for paise in fill["charges_by_head"].values())
        assert heads == Decimal(fill["charges"]) > 0
        assert (fill["product"], fill["trade_date"]) == ("CNC", "2026-07-10")
        assert fill["settles_on"] == "2026-07-13"
