"""The schedule that ends the days: each minute, shard by shard, whatever is due by the clock.

Proceeds settle; what trading left open is delivered, to the holding or from it, or valued and
closed out; loans bear interest. It finds its work by date, so a missed day is caught up and a moved
clock needs no help. Invariant: money fails closed: a short delivery waits for a price, everything
else goes on.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from functions.shared.bookkeeping import settling
from functions.shared.bookkeeping.settling import OpenPosition
from functions.shared.domain.calendar import (
    Phase,
    closed_through,
    is_trading_day,
    market_status,
    previous_trading_day,
    settlement_date,
)
from functions.shared.domain.errors import Retryable
from functions.shared.domain.short_delivery import (
    close_out_price,
    settlement_price,
    shortage_rates,
)
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.day_prices import DayPrices
from functions.shared.stores.postgres import Database


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many accounts, positions or days each step did. Raises as `ScheduledRun.over_shards`."""
    stores = composition.stores()
    settlement = _Settlement(stores, context)
    settlement.record_prices()
    return settlement.run.over_shards(stores, settlement.work)


class _Settlement:
    """What is due at one business time."""

    def __init__(self, stores: Stores, context: Any) -> None:
        self._stores = stores
        self._shards = stores.shards
        self._prices = DayPrices(stores.shards.control)
        self.run = ScheduledRun(context, "settled", "delivered", "valued", "closed_out", "charged")
        self._now = stores.clock.now()
        self._hours = stores.clock.hours
        self._status = market_status(self._now, self._hours)
        self._today = self._status.trade_date
        self._closed = closed_through(self._now, self._hours)

    def record_prices(self) -> None:
        """Keeps what the market says of today, while there is a session and after it."""
        after = self._closed == self._today and (
            self._hours == "always-open" or is_trading_day(self._today)
        )
        if self._status.phase is not Phase.OPEN and not after:
            return
        try:
            listed = self._stores.instruments.by_symbol().values()
            symbols = [each.symbol for each in listed if each.kind == "EQUITY"]
            self._prices.record(self._today, self._stores.quotes.get(symbols).values())
        except Retryable as error:  # what needs no price goes on
            logger().warning("day prices not recorded", why=str(error))

    def work(self, database: Database) -> None:
        """Every step for one shard. Raises Retryable when the shard can't be asked."""
        self.run.each("settled", self._users_due(database), self._settle)
        self.run.each("delivered", self._left_open(database), self._deliver)
        self.run.each("valued", self._shorts(database), self._value)
        self.run.each("closed_out", self._shortages(database), self._close_out)
        self.run.each("charged", self._borrowers(database), self._charge)

    # What is due, page by page. A page begins behind the last item, done or not.

    def _users_due(self, database: Database) -> Iterator[int]:
        after = 0
        while page := settling.due_users(database, self._today, after):
            yield from page
            after = page[-1]

    def _borrowers(self, database: Database) -> Iterator[int]:
        after, through = 0, self._yesterday()
        while page := settling.borrowers(database, through, after):
            yield from page
            after = page[-1]

    def _left_open(self, database: Database) -> Iterator[OpenPosition]:
        after = None
        while page := settling.left_open(database, self._closed, after):
            yield from page
            after = page[-1]

    def _shorts(self, database: Database) -> Iterator[OpenPosition]:
        return (position for position in self._left_open(database) if position.net < 0)

    def _shortages(self, database: Database) -> Iterator[OpenPosition]:
        after = None
        while page := settling.open_shortages(database, after):
            yield from page
            after = page[-1]

    # What is done about one.

    def _settle(self, user_id: int) -> bool:
        return settling.settle(self._shards, user_id, self._today, self._now)

    def _deliver(self, position: OpenPosition) -> bool:
        settles_on = settlement_date(position.trade_date, self._hours)
        return settling.deliver(self._shards, position, settles_on, self._today, self._now)

    def _value(self, position: OpenPosition) -> bool:
        """On pay-in day, at the settlement price of the trading day before it."""
        pay_in = settlement_date(position.trade_date, self._hours)
        if pay_in > self._today:
            return False
        before = previous_trading_day(pay_in, self._hours)
        prices = self._prices.around(position.symbol, position.trade_date, before)
        price = settlement_price(prices, before)
        if price is None:
            return self._without_price(position)
        return settling.value_shortage(self._shards, position, price, self._today, self._now)

    def _close_out(self, shortage: OpenPosition) -> bool:
        """After the session of the auction day, which is the pay-in day."""
        auction = settlement_date(shortage.trade_date, self._hours)
        if auction > self._closed:
            return False
        prices = self._prices.around(shortage.symbol, shortage.trade_date, auction)
        price = close_out_price(prices, shortage.trade_date, auction)
        if price is None:
            return self._without_price(shortage)
        rates = shortage_rates(auction)
        return settling.close_out(self._shards, shortage, price, rates, self._today, self._now)

    def _charge(self, user_id: int) -> int:
        through = self._yesterday()
        return settling.charge_interest(self._shards, user_id, through, self._today, self._now)

    def _without_price(self, position: OpenPosition) -> bool:
        logger().error("no price of the day", symbol=position.symbol, item=str(position))
        return False

    def _yesterday(self) -> date:
        return self._today - timedelta(days=1)
