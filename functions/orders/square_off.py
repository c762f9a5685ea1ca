"""The schedule that looks after exits: each minute, shard by shard. It tells of exits at the market
that rest at their protected price, and after the cut-off it closes intraday positions.

Working intraday orders are cancelled; a position without any gets the opposite market order, as
much as trades at once, and what is left is tried again in the next minute. Invariant: an order of
ours has a client order id that follows from the day, the instrument and its number, so a repeated
run places nothing twice; only one that traded is charged for, once.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from functions.shared.bookkeeping import exits, squaring_off
from functions.shared.bookkeeping.changing import request_cancel
from functions.shared.bookkeeping.checking import (
    OrderRequest,
    PublicFacts,
    load_facts,
    placement,
)
from functions.shared.bookkeeping.exits import PATIENCE, RestingExit
from functions.shared.bookkeeping.placing import place
from functions.shared.bookkeeping.settling import OpenPosition
from functions.shared.bookkeeping.squaring_off import FIRST, OrderOf
from functions.shared.domain.calendar import Phase, market_status, previous_trading_day
from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.sessions import TAKES
from functions.shared.domain.square_off import (
    ATTEMPTS_MAX,
    attempt_key,
    cancel_key,
    square_off_fee,
)
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many orders were told of, cancelled, placed and charged for. Raises as
    `ScheduledRun.over_shards`."""
    stores = composition.stores()
    square_off = _SquareOff(stores, context)
    return square_off.run.over_shards(stores, square_off.work)


class _SquareOff:
    """What is to be closed at one business time."""

    def __init__(self, stores: Stores, context: Any) -> None:
        self._stores = stores
        self.run = ScheduledRun(context, "alerted", "cancelled", "placed", "charged")
        self._now = stores.clock.now()
        self._status = market_status(self._now, stores.clock.hours)
        self._today = self._status.trade_date

    def work(self, database: Database) -> None:
        """Every step for one shard. Raises Retryable when the shard can't be asked."""
        self.run.each("alerted", self._resting(database), self._alert)
        if self._status.past_cut_off and self._status.phase is Phase.OPEN:
            self.run.each("cancelled", self._working(database), self._cancel)
            self.run.each("placed", self._open(database), self._close)
        self.run.each("charged", self._uncharged(database), self._charge)

    def _resting(self, database: Database) -> Iterator[RestingExit]:
        after = FIRST.order_id
        while page := exits.resting_exits(database, after):
            yield from page
            after = page[-1].order_id

    def _alert(self, order: RestingExit) -> bool:
        """An alert is given once: not before its share has traded continuously for a while, after
        a halt of its own too, for an order that waits for an auction is not an exit that nobody
        takes. Raises Refused."""
        stores = self._stores
        status = load_facts(stores.instruments, stores.quotes, stores.clock, order.symbol).status
        opened = status.sure_since
        if status.phase is not Phase.OPEN or opened is None or self._now - opened < PATIENCE:
            return False
        return exits.alert(self._stores.shards, order, self._today, self._now)

    def _working(self, database: Database) -> Iterator[OrderOf]:
        after = FIRST
        while page := squaring_off.working_orders(database, self._today, after):
            yield from page
            after = page[-1]

    def _open(self, database: Database) -> Iterator[OpenPosition]:
        after = None
        while page := squaring_off.open_positions(database, self._today, after):
            yield from page
            after = page[-1]

    def _uncharged(self, database: Database) -> Iterator[OrderOf]:
        """Of this session and the one before: later than that, nobody is charged any more."""
        after, since = FIRST, previous_trading_day(self._today, self._stores.clock.hours)
        while page := squaring_off.uncharged(database, since, after):
            yield from page
            after = page[-1]

    def _cancel(self, order: OrderOf) -> bool:
        key = cancel_key(self._now, order.order_id)
        try:
            request_cancel(
                self._stores.shards, order.user_id, order.order_id, key, None,
                self._today, self._now,
            )  # fmt: skip
        except Conflict:  # it ended, or began to change, since it was listed
            return False
        return True

    def _close(self, position: OpenPosition) -> bool:
        """Places the next attempt. What the ledger denies is stored under its number too."""
        facts = load_facts(
            self._stores.instruments, self._stores.quotes, self._stores.clock, position.symbol
        )
        if not TAKES[facts.status.phase].immediate:  # halted, or in an auction: it has to wait
            return False
        key = self._next_key(position, facts.instrument.token)
        if key is None:
            logger().error("square-off given up", item=str(position))
            return False
        # The cut-off stops new positions; this order ends one.
        facts = replace(facts, status=replace(facts.status, past_cut_off=False))
        placed = place(
            self._stores.shards,
            placement(position.user_id, key, _closing(position, facts), facts),
        )
        if placed.outcome == "DENIED":
            logger().error("square-off denied", item=str(position), key=key, rules=placed.rules)
        return placed.outcome == "ACCEPTED"

    def _next_key(self, position: OpenPosition, token: int) -> str | None:
        keys = [attempt_key(self._today, token, n) for n in range(1, ATTEMPTS_MAX + 1)]
        used = squaring_off.used_keys(self._stores.shards, position.user_id, keys)
        return next((key for key in keys if key not in used), None)

    def _charge(self, order: OrderOf) -> bool:
        fee = square_off_fee(self._today)
        return squaring_off.charge(self._stores.shards, order, fee, self._today, self._now)


def _closing(position: OpenPosition, facts: PublicFacts) -> OrderRequest:
    """The market order opposite to the position, or to as much of it as one order may have."""
    side = Side.SELL if position.net > 0 else Side.BUY
    intent = OrderIntent(side, OrderType.MARKET, abs(position.net), None)
    bounds = [r.largest_quantity for r in facts.judge(intent, Product.MIS).rules]
    quantity = min([intent.quantity, *(bound for bound in bounds if bound)])
    request = replace(intent, quantity=quantity)
    return OrderRequest(position.symbol, request, Product.MIS, Validity.IOC)
