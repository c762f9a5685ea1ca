"""A broker's day in short words: open and fund an account, place, and tell what the venue said."""

import itertools
from datetime import UTC, date, datetime, timedelta

from functions.shared.bookkeeping import accounts, applying, changing, placing, reading
from functions.shared.bookkeeping.applying import Applied
from functions.shared.bookkeeping.placing import Placed, Placement
from functions.shared.clock import micros
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.calendar import MarketStatus, Phase, settlement_date
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent, judge
from functions.shared.stores.postgres import Database, Shards
from functions.shared.wire.events import FundsFacts, HoldingFacts, OrderFacts
from functions.shared.wire.executions import ExecutionReport

NOON = datetime(2026, 7, 10, 6, 30, tzinfo=UTC)
"""12:00 IST on a Friday that NSE trades."""
TODAY = NOON.date()
OPEN = MarketStatus(Phase.OPEN, TODAY, provisional=False)
RUPEE = 100
"""In paise; a price of one rupee is 10,000 units."""
LAKH = 100_000 * RUPEE

ACME = Instrument(
    token=1, exchange="NSE", symbol="ACME", name="Acme", isin="INE000A01010", sector="Steel",
    kind="EQUITY", tick=500, lot=1, band_percent=20, previous_close=100 * 10_000,
    series="EQ", freeze_quantity=200_000, closing_auction=False,
)  # fmt: skip


def price(rupees: float) -> int:
    """A test's price in ten-thousandths of a rupee."""
    return round(rupees * 10_000)


def verdict(
    side: Side,
    quantity: int,
    rupees: float | None,
    instrument: Instrument = ACME,
    product: Product = Product.CNC,
) -> Judgement:
    """What the public rules say at noon, last price and previous close 100 rupees."""
    kind = OrderType.MARKET if rupees is None else OrderType.LIMIT
    intent = OrderIntent(side, kind, quantity, None if rupees is None else price(rupees))
    return judge(intent, product, instrument, 100 * 10_000, 100 * 10_000, OPEN)


class Trader:
    """One user of the ledger, and the venue's word about that user's orders. Its day is the first
    until `settle` moves it on."""

    _positions = itertools.count(1)
    _executions = itertools.count(1)

    def __init__(
        self,
        shards: Shards,
        user_id: int,
        funds: int = 0,
        account_class: AccountClass = AccountClass.TEST,
    ) -> None:
        self.shards = shards
        self.user_id = user_id
        self.now = NOON
        self._requests = itertools.count(1)
        accounts.open_account(shards, user_id, NOON, account_class)
        if funds:
            self.deposit(funds)

    def deposit(self, amount: int, client_id: str | None = None) -> None:
        client_id = client_id or f"d{next(self._requests)}"
        accounts.deposit(self.shards, self.user_id, client_id, amount, self.today, self.now)

    def database(self) -> Database:
        """The shard of this user, for questions that no reader of the application asks."""
        return self.shards.of_user(self.user_id)

    @property
    def today(self) -> date:
        return self.now.date()

    def settle(self) -> None:
        """Noon of the next day that settles what was traded today."""
        days = settlement_date(self.today, "nse") - self.today
        self.now += days

    def placement(
        self, side: Side, quantity: int, rupees: float | None = 100, key: str | None = None,
        open_orders_max: int = 1_000, product: Product = Product.CNC,
    ) -> Placement:  # fmt: skip
        judgement = verdict(side, quantity, rupees, product=product)
        kind = OrderType.MARKET if rupees is None else OrderType.LIMIT
        return Placement(
            user_id=self.user_id,
            client_order_id=key or f"o{next(self._requests)}",
            fingerprint=f"{side}{quantity}{rupees}".encode(),
            symbol=ACME.symbol,
            intent=OrderIntent(side, kind, quantity, None if rupees is None else price(rupees)),
            product=product,
            validity=Validity.DAY,
            judgement=judgement,
            context="{}",
            open_orders_max=open_orders_max,
            trade_date=self.today,
            now=self.now,
        )

    def place(
        self, side: Side, quantity: int, rupees: float | None = 100, key: str | None = None,
        product: Product = Product.CNC,
    ) -> Placed:  # fmt: skip
        wanted = self.placement(side, quantity, rupees, key, product=product)
        return placing.place(self.shards, wanted)

    def preview(
        self, side: Side, quantity: int, rupees: float | None = 100, product: Product = Product.CNC
    ) -> Placed:
        wanted = self.placement(side, quantity, rupees, product=product)
        return placing.preview(self.shards, wanted, settlement_date(self.today, "nse"))

    def buy(
        self, quantity: int, rupees: float | None = 100, product: Product = Product.CNC
    ) -> int:  # fmt: skip
        """The number of an accepted order."""
        return self._accepted(self.place(Side.BUY, quantity, rupees, product=product))

    def sell(
        self, quantity: int, rupees: float | None = 100, product: Product = Product.CNC
    ) -> int:  # fmt: skip
        return self._accepted(self.place(Side.SELL, quantity, rupees, product=product))

    def own(self, quantity: int, rupees: float = 100) -> None:
        """Buys and is filled."""
        self.fill(self.buy(quantity, rupees), quantity, rupees)

    def cancel(self, order_id: int) -> OrderFacts:
        key = f"c{next(self._requests)}"
        return changing.request_cancel(
            self.shards, self.user_id, order_id, key, None, self.today, self.now
        ).order  # fmt: skip

    def modify(self, order_id: int, quantity: int, rupees: float) -> changing.Changed:
        order = self.order(order_id)
        judgement = verdict(Side(order.side), quantity, rupees, product=Product(order.product))
        return changing.request_modify(
            self.shards, self.user_id, order_id, self.request_id(), None, self.today,
            self.now, changing.Asked(quantity), quantity, judgement,
        )  # fmt: skip

    def request_id(self) -> str:
        """A change's, used once."""
        return f"m{next(self._requests)}"

    def report(self, order_id: int, exec_type: str, **changes: object) -> ExecutionReport:
        """What the venue would say; `changes` replaces fields."""
        number = next(self._executions)
        fields: dict[str, object] = {
            "session": "OUTCRY-O1",
            "position": next(self._positions),
            "user_id": self.user_id,
            "order_id": order_id,
            "request": 0,
            "exec_id": f"E{number}",
            "exec_type": exec_type,
            "ord_status": "0",
            "venue_order_id": f"V{order_id}",
            "symbol": ACME.symbol,
            "side": None,
            "last_quantity": 0,
            "last_price": 0,
            "cumulative_quantity": 0,
            "leaves_quantity": 0,
            "order_quantity": 0,
            "price": None,
            "trade_date": self.today.isoformat(),
            "transacted_at": micros(self.now),
        }
        return ExecutionReport(**{**fields, **changes})  # type: ignore[arg-type]

    def told(self, order_id: int, exec_type: str, **changes: object) -> Applied:
        return self.apply(self.report(order_id, exec_type, **changes))

    def apply(self, report: ExecutionReport, after: timedelta = timedelta()) -> Applied:
        settles_on = settlement_date(date.fromisoformat(report.trade_date), "nse")
        return applying.apply_execution(
            self.shards, report, settles_on, self.today, self.now + after
        )

    def fill(self, order_id: int, quantity: int, rupees: float = 100, **changes: object) -> Applied:
        fill = {"last_quantity": quantity, "last_price": price(rupees), **changes}
        return self.told(order_id, "F", **fill)

    def order(self, order_id: int) -> OrderFacts:
        return reading.order(self.shards, self.user_id, order_id)[0]

    def funds(self) -> FundsFacts:
        return reading.funds(self.shards, self.user_id, self.today)

    def holding(self) -> HoldingFacts | None:
        found = reading.holdings(self.shards, self.user_id, self.today, after="", rows=500)
        return found[0] if found else None

    def kinds(self) -> list[str]:
        """The log's events, in order."""
        return [row.kind for row in reading.events(self.shards, self.user_id, 0, 1_000)]

    @staticmethod
    def _accepted(placed: Placed) -> int:
        assert placed.outcome == "ACCEPTED", placed.rules
        assert placed.order is not None
        return placed.order.order_id
