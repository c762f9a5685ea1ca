"""What a sale takes out of a holding, told once; and what it costs when there are many lots."""

from functions.shared.bookkeeping import reading
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.events import HoldingFacts
from tests.integration.ledger.conftest import NewTrader
from tests.support.day_end import intraday
from tests.support.ledger import RUPEE, TODAY, Trader
from tests.support.postgres import ShardsUnderTest

_MANY = """
INSERT INTO ledger.holding_lot
  SELECT :u, 'ACME', -n, DATE '2026-07-01', DATE '2026-07-02', 1, 10000
  FROM generate_series(1, 3000) n
"""
_READ = """
SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
WHERE relname = 'holding_lot'
"""


def positions(trader: Trader) -> dict[tuple[str, int], tuple[int, int]]:
    """By product and net: what was sold, in shares and in whole rupees."""
    found = reading.positions(
        trader.shards, trader.user_id, trader.today, reading.FIRST_POSITION, 10
    )
    return {(p.product, p.net): (p.sell_quantity, p.sell_value // RUPEE) for p in found}


def test_shares_that_a_delivery_sale_lacked_are_in_one_position(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    trader.settle()
    late, later = trader.sell(4), trader.sell(6)
    for order in (late, later):
        trader.told(order, "4")
    trader.fill(trader.sell(8), 8)
    trader.fill(late, 4, 110)
    assert positions(trader) == {("CNC", -10): (10, 1_020), ("MIS", -2): (2, 220)}
    trader.fill(later, 6, 110)  # nothing of it is delivered
    assert positions(trader) == {("CNC", -10): (10, 1_020), ("MIS", -8): (8, 880)}
    intraday(trader, Side.BUY, 8, 105)
    bought = [p for p in reading.positions(
        trader.shards, trader.user_id, trader.today, reading.FIRST_POSITION, 10
    ) if p.product == Product.MIS]  # fmt: skip
    assert [(p.net, p.realised) for p in bought] == [(0, 40 * RUPEE)]


def test_a_day_of_nothing_but_short_sales_is_no_delivery_position(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    late = trader.sell(10)
    trader.told(late, "4")
    trader.fill(trader.sell(10), 10)
    trader.settle()
    trader.fill(late, 10, 110)
    assert positions(trader) == {("MIS", -10): (10, 1_100)}


def test_a_fill_reads_the_lots_it_needs_and_no_others(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    trader.own(10)
    owner = ledger_databases.superuser(trader.shards.number_of_user(trader.user_id))
    owner.run("BEGIN")
    owner.run(_MANY, u=trader.user_id)
    owner.run(
        "UPDATE ledger.holding SET quantity = 3010 WHERE user_id = :u", u=trader.user_id
    )  # fmt: skip
    owner.run("ANALYZE ledger.holding_lot")
    (before,) = owner.run(_READ)[0]
    facts = owner.run(
        "SELECT ledger.holding_facts(:u, 'ACME', :d)", u=trader.user_id, d=TODAY
    )[0][0]  # fmt: skip
    owner.run(
        "SELECT ledger.take_lots(:u, 'ACME', 5, 50000, 1000, :d)", u=trader.user_id, d=TODAY
    )  # fmt: skip
    (after,) = owner.run(_READ)[0]
    owner.run("ROLLBACK")
    owner.close()
    assert HoldingFacts(**facts) == HoldingFacts(
        symbol="ACME", quantity=3010, settled=3000, t1=0, bought_today=10, open_sell=0, pledged=0,
        cost=1_000 * RUPEE,
    )  # fmt: skip
    assert after - before < 100
