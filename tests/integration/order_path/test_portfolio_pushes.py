"""What the stream tells of a portfolio is what the API answers, to the paisa, event by event."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from functions.shared.domain.orders import Product, Side
from functions.shared.stores.postgres import Shards
from functions.shared.stores.user_events import UserEvents
from functions.shared.stores.user_portfolio import UserPortfolio
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.day_end import close_out, value_shortage
from tests.support.fanout import FakeLink, Floor, principal
from tests.support.ledger import Trader

FIGURES = ("value", "holdings_value", "day_pnl", "unrealised_pnl")


class Watched:
    """A user of the API who is connected to a fanout, which reads the same ledger as the edge."""

    def __init__(self, client: Client, stores: OrderStores) -> None:
        self.client, self.stores = client, stores
        self.trader = Trader(stores.shards, client.user_id)
        self.floor = Floor()
        edge = Shards(stores.edge_urls, "test")
        self.events, self.books = UserEvents(edge), UserPortfolio(edge)
        self.reads = 0
        self.told: dict[str, Any] = {}
        self.price(102)
        self.link = self._sign_in()

    def _sign_in(self) -> FakeLink:
        self.floor.day = self.trader.today
        client, link = self.floor.connect()
        self.floor.reception.verified(client, principal(self.client.user_id))
        self.floor.answer(None, 0)
        return link

    def price(self, rupees: float) -> None:
        self.stores.quote("ACME", rupees)

    def trade(
        self, side: Side, quantity: int, rupees: float = 100, product: Product = Product.CNC
    ) -> None:
        make = self.trader.buy if side is Side.BUY else self.trader.sell
        self.trader.fill(make(quantity, rupees, product), quantity, rupees)

    def next_day(self) -> None:
        self.trader.settle()
        self.stores.clock.at = self.trader.now
        self.floor.day = self.trader.today

    def push(self) -> dict[str, Any]:
        """Lets the fanout hear of what happened and look at its books; what it told last."""
        floor, user_id = self.floor, self.client.user_id
        for event in self.events.after(user_id, self._heard, 500):
            floor.portfolios.heard(event)
            self._heard = event.user_seq
        self._looks += 1
        quotes = self.stores.quotes.get(["ACME"]).values()
        floor.hub.take([each._replace(seq=self._looks) for each in quotes])
        floor.second()
        while floor.doors.books:
            asked, ticket, day = floor.doors.books.pop(0)
            floor.portfolios.answered(asked, ticket, self.books.read(asked, day))
            self.reads += 1
            floor.second()
        floor.second()  # what a second's last ticks found leaves with the next one's first
        for each in self.link.said():
            if each["type"] == "portfolio":
                self.told = each
        return {name: self.told[name] for name in FIGURES}

    _heard = _looks = 0

    def answer(self) -> dict[str, Any]:
        """The same figures as sums over what the API shows."""
        shown = self.client.ask("GET", "/v1/portfolio").body
        held, positions = shown["holdings"], shown["positions"]
        intraday = [each for each in positions if each["product"] == "MIS"]
        delivered = [each for each in positions if each["product"] == "CNC"]
        return {
            "value": shown["value"],
            "holdings_value": _sum(held, "value"),
            "day_pnl": _text(
                Decimal(_sum([*held, *intraday], "day_pnl"))
                + Decimal(_sum(delivered, "realised_pnl"))
            ),
            "unrealised_pnl": _sum([*held, *intraday], "unrealised_pnl"),
        }


def _sum(rows: list[dict[str, Any]], field: str) -> str:
    return _text(sum((Decimal(row[field]) for row in rows), Decimal(0)))


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"


@pytest.fixture
def watched(client: Client, stores: OrderStores) -> Iterator[Watched]:
    made = Watched(client, stores)
    yield made
    made.books.close()


def test_every_figure_is_the_apis_own_through_trades_days_and_a_short_delivery(
    watched: Watched,
) -> None:
    """Odd quantities and prices of a paisa and less, so that rounding shows."""
    same = lambda: watched.push() == watched.answer()  # noqa: E731
    assert same()
    watched.trade(Side.BUY, 37, 100.05)
    assert same()
    watched.trade(Side.BUY, 11, 101.15)
    watched.trade(Side.SELL, 5, 104.3)
    assert same()
    watched.trade(Side.SELL, 20, 104, Product.MIS)
    watched.trade(Side.BUY, 7, 101, Product.MIS)
    watched.price(97.35)
    assert same()
    watched.price(111.1111)
    assert same()
    watched.next_day()
    assert watched.push() == watched.answer()
    assert value_shortage(watched.trader, 102)
    assert same()
    watched.trade(Side.SELL, 13, 99.95)
    assert same()
    close_out(watched.trader, 109)
    assert same()
    deposit = {"client_id": "more", "amount": "12.34"}
    assert watched.client.ask("POST", "/v1/funds/deposits", deposit).status == 202
    assert same()


def test_placing_and_cancelling_need_no_second_look_at_the_books(watched: Watched) -> None:
    watched.trade(Side.BUY, 10)
    watched.next_day()
    assert watched.push() == watched.answer()
    before = watched.reads
    buy, sell = watched.trader.buy(3, 90), watched.trader.sell(4, 120)
    watched.trader.cancel(buy)
    watched.trader.told(buy, "4")
    watched.trader.cancel(sell)
    assert watched.push() == watched.answer()
    assert watched.reads == before
