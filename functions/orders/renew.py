"""The schedule that places GTC orders again: each minute, shard by shard.

The venue knows orders of a day. What it leaves of a GTC order is placed again as an order of its
own, which names the first of them: for the next session while the market is closed, at once when
its session has begun. What a rule of the day refuses (a band, a halt, a review) is tried again in
the next run; cash or shares that are not there, or a share not listed any more, end it. Invariant:
an order's continuation has a client order id that follows from it, so a repeated run places nothing
twice; a client who cancels the one that lives ends it all.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from functions.shared.bookkeeping.checking import OrderRequest, load_standing_facts, placement
from functions.shared.bookkeeping.placing import place
from functions.shared.bookkeeping.renewing import LeftOver, left_over
from functions.shared.domain.after_market import after_market_rules
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import InvariantViolated
from functions.shared.domain.orders import OrderType, Product, Side, Validity, Variety
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.sessions import Phase
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.runtime.scheduled import ScheduledRun
from functions.shared.stores.postgres import Database


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """How many orders were placed again. Raises as `ScheduledRun.over_shards`."""
    stores = composition.stores()
    renewal = _Renewal(stores, context)
    return renewal.run.over_shards(stores, renewal.work)


class _Renewal:
    """What is to be placed again at one business time."""

    def __init__(self, stores: Stores, context: Any) -> None:
        self._stores = stores
        self.run = ScheduledRun(context, "placed")
        self._now = stores.clock.now()
        self._status = market_status(self._now, stores.clock.hours)

    def work(self, database: Database) -> None:
        """One shard. Raises Retryable when it can't be asked."""
        self.run.each("placed", self._left_over(database), self._place)

    def _left_over(self, database: Database) -> Iterator[LeftOver]:
        page = left_over(database, self._now)
        while page:
            yield from page
            page = left_over(database, self._now, (page[-1].user_id, page[-1].order_id))

    def _place(self, left: LeftOver) -> bool:
        """Whether it was placed now; between two sessions' times, and while a rule of the day is
        against it, it waits for the next run. What the ledger denies is stored under its id, and
        the order is not continued."""
        variety = self._variety(left)
        if variety is None:
            return False
        facts = load_standing_facts(
            self._stores.instruments, self._stores.quotes, self._stores.clock, left.symbol
        )
        intent = OrderIntent(
            Side(left.side), OrderType.LIMIT, left.quantity, left.price, left.shown
        )
        request = OrderRequest(
            left.symbol, intent, Product.CNC, Validity.GTC, variety=variety
        )  # fmt: skip
        wanted = placement(left.user_id, left.key, request, facts)
        if wanted.terms is None:
            raise InvariantViolated("a GTC order without an end")
        terms = replace(wanted.terms, expires_at=left.expires_at, parent_order_id=left.first)
        placed = place(self._stores.shards, replace(wanted, terms=terms))
        if placed.outcome == "DENIED":
            logger().warning("GTC order denied", item=str(left), rules=placed.rules)
        return placed.outcome == "ACCEPTED"

    def _variety(self, left: LeftOver) -> Variety | None:
        if self._status.phase is Phase.OPEN:
            # The session that ended it may be open still by our clock.
            begun = self._status.trade_date > left.trade_date
            return Variety.REGULAR if begun else None
        return None if after_market_rules(self._now, self._stores.clock.hours) else Variety.AMO
