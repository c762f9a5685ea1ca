"""What a trade date came to, on a real PostgreSQL."""

from datetime import date

from functions.shared.domain.short_delivery import DayPrice
from functions.shared.stores.day_prices import DayPrices
from functions.shared.stores.postgres import Shards
from functions.shared.wire.quotes import Quote

FRIDAY, MONDAY = date(2026, 7, 10), date(2026, 7, 13)


def quote(symbol: str, last: int, high: int) -> Quote:
    return Quote(symbol, 1, 1, 1, last, 1, last, high, last, last, 1, last)


def test_a_days_row_follows_the_market_and_then_stands(shards: Shards) -> None:
    prices = DayPrices(shards.control)
    prices.record(FRIDAY, [quote("INFY", 100, 110), quote("TCS", 50, 50)])
    prices.record(FRIDAY, [quote("INFY", 105, 120)])
    prices.record(MONDAY, [quote("INFY", 90, 95)])
    assert prices.around("INFY", FRIDAY, MONDAY) == [
        DayPrice(FRIDAY, 120, 105),
        DayPrice(MONDAY, 95, 90),
    ]
    assert prices.around("INFY", FRIDAY, FRIDAY) == [DayPrice(FRIDAY, 120, 105)]
    assert prices.around("TCS", MONDAY, MONDAY) == [DayPrice(FRIDAY, 50, 50)]


def test_a_share_that_has_no_price_gets_no_row(shards: Shards) -> None:
    prices = DayPrices(shards.control)
    assert prices.record(FRIDAY, [quote("INFY", 0, 0)]) == 0
    assert prices.around("INFY", FRIDAY, FRIDAY) == []


def test_a_high_that_was_not_told_is_at_least_the_last_price(shards: Shards) -> None:
    prices = DayPrices(shards.control)
    prices.record(FRIDAY, [quote("INFY", 100, 0)])
    assert prices.around("INFY", FRIDAY, FRIDAY) == [DayPrice(FRIDAY, 100, 100)]
