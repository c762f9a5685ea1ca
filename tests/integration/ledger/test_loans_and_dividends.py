"""Interest on loans, and dividends, on a real PostgreSQL."""

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.bookkeeping import settling
from functions.shared.domain.orders import Side
from tests.integration.ledger.conftest import NewTrader
from tests.support.day_end import deliver, intraday, posted, shard_of, value_shortage
from tests.support.ledger import ACME, LAKH, RUPEE, TODAY, Trader, price

DAY = timedelta(days=1)


def charge_interest(trader: Trader, through: date) -> int:
    return settling.charge_interest(
        trader.shards, trader.user_id, through, trader.today, trader.now
    )


# Interest


def test_interest_is_charged_for_each_calendar_day_of_the_loan_once(new_trader: NewTrader) -> None:
    trader = new_trader(funds=2_500 * RUPEE)
    intraday(trader, Side.BUY, 100)
    deliver(trader)
    loan = trader.funds().borrowed
    assert charge_interest(trader, TODAY - DAY) == 0  # nothing was owed then
    trader.now += 3 * DAY  # Monday: Friday, Saturday and Sunday are over
    assert charge_interest(trader, TODAY + 2 * DAY) == 3
    assert charge_interest(trader, TODAY + 2 * DAY) == 0
    a_day = (loan * 1200 * 2 + 3_650_000) // 7_300_000
    assert trader.funds().borrowed == loan + 3 * a_day
    assert posted(trader, "INTEREST_CHARGED")["house:interest", "INR"] == 3 * a_day
    days = trader.database().run(
        "SELECT day FROM ledger.job_entry WHERE user_id = :u AND job = 'INTEREST' ORDER BY day",
        u=trader.user_id,
    )
    assert [row[0] for row in days] == [TODAY, TODAY + DAY, TODAY + 2 * DAY]


def test_a_loan_repaid_before_the_job_ran_still_bears_its_days(new_trader: NewTrader) -> None:
    trader = new_trader(funds=2_500 * RUPEE)
    intraday(trader, Side.BUY, 100)
    deliver(trader)
    trader.now += 2 * DAY
    trader.deposit(LAKH)
    assert trader.funds().borrowed == 0
    trader.now += 5 * DAY
    assert charge_interest(trader, trader.today - DAY) == 2
    assert trader.user_id not in borrowers(trader)


def test_a_loan_of_a_few_hours_bears_nothing(new_trader: NewTrader) -> None:
    trader = new_trader(funds=2_500 * RUPEE)
    intraday(trader, Side.BUY, 100)
    deliver(trader)
    trader.deposit(LAKH)
    trader.now += 2 * DAY
    assert trader.user_id in borrowers(trader)
    assert charge_interest(trader, trader.today - DAY) == 0
    assert trader.user_id not in borrowers(trader)


def borrowers(trader: Trader) -> list[int]:
    return settling.borrowers(shard_of(trader), trader.today - DAY, trader.user_id - 1)


@given(rupees=st.integers(500, 10**7), gaps=st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_run_charges_its_days_on_the_loan_that_stood_then(
    new_trader: NewTrader, rupees: int, gaps: list[int]
) -> None:
    trader = new_trader(funds=100 * RUPEE)
    intraday(trader, Side.SELL, 1)
    value_shortage(trader, rupees)
    for gap in gaps:
        trader.now += gap * DAY
        loan = trader.funds().borrowed
        a_day = (loan * 1200 * 2 + 3_650_000) // 7_300_000
        assert charge_interest(trader, trader.today - DAY) == (gap if a_day else 0)
        assert trader.funds().borrowed == loan + gap * a_day


# Dividends


def test_a_dividend_is_paid_on_what_was_held_before_the_record_date(new_trader: NewTrader) -> None:
    trader = new_trader(funds=3 * LAKH)
    trader.own(100)
    trader.settle()
    trader.own(7)  # bought on the record date itself: too late
    trader.fill(trader.sell(40), 40)  # sold on the record date: still entitled
    record = trader.today
    before = trader.funds().cash
    assert pay(trader, record, price(2.5))
    assert trader.funds().cash == before + 250 * RUPEE
    assert not pay(trader, record, price(2.5))
    assert trader.funds().cash == before + 250 * RUPEE
    assert posted(trader, "DIVIDEND_PAID") == {
        ("client:cash", "INR"): 250 * RUPEE,
        ("house:dividends", "INR"): -250 * RUPEE,
    }


def test_who_held_nothing_before_the_record_date_gets_none(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(100)
    database = shard_of(trader)
    assert trader.user_id not in settling.holders_before(database, ACME.symbol, TODAY)
    assert trader.user_id in settling.holders_before(database, ACME.symbol, TODAY + DAY)
    assert not pay(trader, TODAY, price(2.5))


def test_a_dividend_is_announced_with_one_amount(new_trader: NewTrader) -> None:
    database = new_trader().shards.databases[0]
    on = date(2026, 8, 3)
    assert settling.announce_dividend(database, "BETA", on, price(1.25))
    assert settling.announce_dividend(database, "BETA", on, price(1.25))
    assert not settling.announce_dividend(database, "BETA", on, price(1.5))


def pay(trader: Trader, record_date: date, per_share: int) -> bool:
    settling.announce_dividend(shard_of(trader), ACME.symbol, record_date, per_share)
    return settling.pay_dividend(
        trader.shards, trader.user_id, ACME.symbol, record_date, trader.today, trader.now
    )
