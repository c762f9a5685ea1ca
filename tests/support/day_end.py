"""A trader's day after its session, in short words: deliver, value, look at what was posted."""

from datetime import date

from functions.shared.bookkeeping import settling
from functions.shared.bookkeeping.settling import OpenPosition
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.short_delivery import shortage_rates
from functions.shared.stores.postgres import Database
from tests.support.ledger import ACME, TODAY, Trader, price


def intraday(trader: Trader, side: Side, quantity: int, rupees: float = 100) -> int:
    place = trader.buy if side is Side.BUY else trader.sell
    order = place(quantity, rupees, Product.MIS)
    assert trader.fill(order, quantity, rupees).outcome == "APPLIED"
    return order


def left_by(trader: Trader, day: date = TODAY) -> OpenPosition:
    (net,) = trader.database().run(
        "SELECT net FROM ledger.position WHERE user_id = :u AND trade_date = :d",
        u=trader.user_id, d=day,
    )[0]  # fmt: skip
    return OpenPosition(trader.user_id, ACME.symbol, day, net)


def deliver(trader: Trader, day: date = TODAY) -> bool:
    settles_on = settlement_date(day, "nse")
    position = left_by(trader, day)
    return settling.deliver(trader.shards, position, settles_on, trader.today, trader.now)


def value_shortage(trader: Trader, rupees: float) -> bool:
    return settling.value_shortage(
        trader.shards, left_by(trader), price(rupees), trader.today, trader.now
    )


def close_out(trader: Trader, rupees: float) -> bool:
    rates = shortage_rates(TODAY)
    return settling.close_out(
        trader.shards, left_by(trader), price(rupees), rates, trader.today, trader.now
    )


def shard_of(trader: Trader) -> Database:
    return trader.shards.databases[trader.shards.number_of_user(trader.user_id)]


def posted(trader: Trader, kind: str) -> dict[tuple[str, str], int]:
    """What the events of a kind posted, by account and asset."""
    rows = trader.database().run(
        "SELECT p.account, p.asset, sum(p.amount)::bigint FROM ledger.posting p"
        " JOIN ledger.ledger_event e USING (user_id, seq)"
        " WHERE p.user_id = :u AND e.kind = :k GROUP BY 1, 2",
        u=trader.user_id, k=kind,
    )  # fmt: skip
    return {(account, asset): amount for account, asset, amount in rows}
