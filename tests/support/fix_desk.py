"""A venue, streams, the order gateway and a paper ledger, each of which can be killed."""

import itertools
from pathlib import Path

import redis

from functions.shared.clock import FileClock, trade_date
from functions.shared.stores.streams import Record, ValkeyStreams
from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    ReplaceOrder,
    encode_command,
)
from functions.shared.wire.executions import ExecutionReport
from functions.shared.wire.order_routes import ROUTES_KEY, decode_routes
from infra.exchange.bands import Band
from infra.exchange.instruments import read_listing
from infra.local.ports import free_ports
from tests.integration.exchange.venue_process import VenueProcess
from tests.support.eventually import wait_until
from tests.support.gateway_process import GatewayProcess
from tests.support.paper_ledger import PaperApplier, PaperLedger, command_stream
from tests.support.valkey import ValkeyUnderTest


class Desk:
    """Venue, streams, gateway and paper ledger, each of which can be killed."""

    def __init__(self, folder: Path, streams: ValkeyUnderTest, **settings: str) -> None:
        self.venue = VenueProcess(folder / "venue")
        self.streams = streams
        self.gateway = GatewayProcess(
            folder, streams.url, self.venue.orders_port, free_ports(1)[0],
            CLOCK=f"file://{self.venue.clock}", **settings,
        )  # fmt: skip
        self.ledger = PaperLedger(self.gateway.ledger)
        self.applier = PaperApplier(streams.url, self.gateway.ledger)
        self._writer = ValkeyStreams(streams.url)
        self._numbers = itertools.count(1)

    def open(self) -> None:
        self.venue.start()
        self.gateway.start()
        wait_until(self.gateway.ready)

    def close(self) -> None:
        self.gateway.kill()
        self.applier.close()
        self.venue.kill()

    def order(self, symbol: str = "INFY", **terms: object) -> NewOrder:
        number = next(self._numbers)
        facts: dict[str, object] = {
            "side": "BUY",
            "type": "MARKET",
            "validity": "IOC",
            "quantity": 10,
            "price": None,
            "trade_date": trade_date(FileClock(self.venue.clock).now()),
        }
        facts |= terms
        return NewOrder(order_id=number << 22, user_id=number % 5 + 1, symbol=symbol, **facts)

    def resting(self, symbol: str = "INFY") -> NewOrder:
        """A buy at the foot of the price band."""
        listed = next(i for i in read_listing().instruments if i.symbol == symbol)
        low = Band(listed.reference_price, listed.band_percent, listed.tick).low
        return self.order(symbol, type="LIMIT", validity="DAY", price=low)

    def place(self, order: NewOrder) -> None:
        self.ledger.place(order)
        self.tell(order)

    def change(self, command: ReplaceOrder | CancelOrder) -> None:
        self.ledger.change(command)
        self.tell(command)

    def tell(self, command: OrderCommand) -> None:
        record = Record(str(command.user_id), encode_command(command))
        self._writer.append(command_stream(command), [record])

    def routes(self) -> list[bool]:
        """Which order sessions are said to be open; none when nothing is said."""
        with redis.Redis.from_url(self.streams.url) as client:
            told = client.get(ROUTES_KEY)
        return [] if told is None else [route.open for route in decode_routes(told).routes]

    def reports(self, order: NewOrder) -> list[ExecutionReport]:
        """What was reported of an order, in turn; what was handed on again counts once."""
        told = [r for r in list(self.applier.reports) if r.order_id == order.order_id]
        return list({(r.session, r.position): r for r in told}.values())

    def exec_types(self, order: NewOrder) -> list[str]:
        return [report.exec_type for report in self.reports(order)]

    def events(self, order: NewOrder) -> list[str]:
        """The same without statuses (I), for which the gateway asks whenever it sees fit."""
        return [exec_type for exec_type in self.exec_types(order) if exec_type != "I"]

    def orders_at_venue(self) -> int:
        return len(self.venue.get("/orders")["orders"])

    def settled(self) -> bool:
        """Every order is answered, and the ledger's fills are the venue's, each once."""
        if "PENDING" in self.ledger.statuses().values():
            return False
        trades = {
            t["exec_id"]: (int(t["cl_ord_id"].split("-")[0]), t["quantity"], t["price"])
            for t in self.venue.get("/trades")["trades"]
        }
        return trades == self.ledger.fills()
