"""A trade date's contract note: what was bought and sold that day, and what it costs in the end.

Invariant: the money depends on what each order traded that day and on nothing else, so any order of
the same trades, and any way of splitting them into fills, makes the same note but for the list of
trades itself. Integers only: an average is shown rounded, but nothing is computed from its rounded
form.

The estimate that each fill is booked by (`charges`) knows one order; the note knows the day:
  * Securities transaction tax is per security: shares bought and sold are squared off, the net
    quantity is delivered, both are taxed at the average price of all the day's trades in it,
    rounded half up to the whole rupee (NSE CMTR5588 of 10 November 2004). The orders' product
    plays no part.
  * Stamp duty follows the same split of the shares bought, at their own average price, and is in
    whole rupees on the day's total, as contract notes have it.
  * Brokerage is each executed order's own, with its cap.
  * The exchange's charge, its fund's and the regulator's fee are on the day's turnover, the tax
    on services on the three services' totals; all half up to the paisa.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, NamedTuple

from functions.shared.domain.calendar import Hours, is_trading_day
from functions.shared.domain.charges import (
    RATE_UNIT,
    Charges,
    Rates,
    charge_rates,
    charges_on,
    tax_on,
)
from functions.shared.domain.money import (
    PAISE_PER_RUPEE,
    PRICE_UNITS_PER_PAISA,
    divide_half_up,
)
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.trading_days import LOADED_YEARS

_HOME_EXCHANGE: Final = "NSE"
_RUPEES: Final = RATE_UNIT * PAISE_PER_RUPEE


class Trade(NamedTuple):
    """One execution: the venue's number of it, its time in microseconds since 1970, shares, the
    price in ten-thousandths of a rupee and the value in paise, as booked."""

    exec_id: str
    at: int
    quantity: int
    price: int
    value: int


@dataclass(frozen=True, slots=True)
class OrderTraded:
    """What one order traded on the day, oldest trade first. `venue_order_id` is None where the
    venue never gave one; `placed_at` in microseconds since 1970."""

    order_id: int
    venue_order_id: str | None
    placed_at: int
    symbol: str
    product: Product
    side: Side
    trades: tuple[Trade, ...]

    @property
    def quantity(self) -> int:
        return sum(trade.quantity for trade in self.trades)

    @property
    def value(self) -> int:
        return sum(trade.value for trade in self.trades)


@dataclass(frozen=True, slots=True)
class SecurityDay:
    """One security's day: quantities in shares, values and the tax in paise, averages in
    ten-thousandths of a rupee (None where nothing traded). `delivered` is positive into the
    account and negative out of it."""

    symbol: str
    bought: int
    buy_value: int
    buy_average: int | None
    sold: int
    sell_value: int
    sell_average: int | None
    squared_off: int
    delivered: int
    stt: int


@dataclass(frozen=True, slots=True)
class ContractNote:
    """Money in paise. `charges` by head, as in `charges.HEADS`; `net_amount` is what the client
    receives for the day (negative: pays). `orders` by their number, which is by time, and the
    `brokerages` of each."""

    trade_date: date
    orders: tuple[OrderTraded, ...]
    brokerages: tuple[int, ...]
    securities: tuple[SecurityDay, ...]
    buy_value: int
    sell_value: int
    charges: Charges
    net_amount: int


@dataclass(slots=True)
class _Totals:
    """Of one security: shares and paise by side."""

    bought: int = 0
    buy_value: int = 0
    sold: int = 0
    sell_value: int = 0

    def add(self, traded: OrderTraded) -> None:
        if traded.side is Side.BUY:
            self.bought += traded.quantity
            self.buy_value += traded.value
        else:
            self.sold += traded.quantity
            self.sell_value += traded.value


def exchange_of(symbol: str) -> str:
    """A symbol alone is NSE's; another exchange's is written `BSE:RELIANCE`."""
    exchange, colon, _ = symbol.partition(":")
    return exchange if colon else _HOME_EXCHANGE


def contract_note(trade_date: date, traded: Iterable[OrderTraded]) -> ContractNote:
    """The note of everything one account traded that day, one entry an order: brokerage is capped
    on the whole of it. Raises LookupError when the day's rates aren't loaded, ValueError when
    nothing was traded or an order comes twice."""
    orders = tuple(sorted(traded, key=lambda order: order.order_id))
    if not orders:
        raise ValueError(f"nothing was traded on {trade_date}")
    if len({order.order_id for order in orders}) < len(orders):
        raise ValueError("an order comes twice")
    totals: defaultdict[str, _Totals] = defaultdict(_Totals)
    for order in orders:
        totals[order.symbol].add(order)
    securities = tuple(_security(symbol, totals[symbol], trade_date) for symbol in sorted(totals))
    brokerages = tuple(
        charges_on(order.value, _rates(order.product, order.symbol, order.side, trade_date))[0]
        for order in orders
    )
    charges = _charges(trade_date, sum(brokerages), securities)
    bought = sum(line.buy_value for line in securities)
    sold = sum(line.sell_value for line in securities)
    net_amount = sold - bought - sum(charges)
    return ContractNote(
        trade_date, orders, brokerages, securities, bought, sold, charges, net_amount
    )


def brokerage_by_trade(order: OrderTraded, brokerage: int) -> Iterator[int]:
    """An order's brokerage shared out over its trades by value; the shares add up to it."""
    whole, traded, shared = order.value, 0, 0
    for trade in order.trades:
        traded += trade.value
        through = divide_half_up(brokerage * traded, whole) if whole else brokerage
        yield through - shared
        shared = through


def settlement_number(trade_date: date, hours: Hours) -> str | None:
    """The year and the place of the day's session in it, as the clearing corporation numbers its
    settlements. None in a year whose sessions aren't loaded: its number is then not known."""
    if hours == "nse" and trade_date.year not in LOADED_YEARS:
        return None
    first = date(trade_date.year, 1, 1)
    days = (first + timedelta(days=n) for n in range((trade_date - first).days + 1))
    sessions = sum(1 for day in days if hours == "always-open" or is_trading_day(day))
    return f"{trade_date.year}{sessions:03d}"


def _security(symbol: str, day: _Totals, on: date) -> SecurityDay:
    squared_off = min(day.bought, day.sold)
    delivered = day.bought - day.sold
    return SecurityDay(
        symbol=symbol,
        bought=day.bought,
        buy_value=day.buy_value,
        buy_average=_average(day.buy_value, day.bought),
        sold=day.sold,
        sell_value=day.sell_value,
        sell_average=_average(day.sell_value, day.sold),
        squared_off=squared_off,
        delivered=delivered,
        stt=_securities_tax(symbol, day, squared_off, delivered, on),
    )


def _average(value: int, quantity: int) -> int | None:
    return divide_half_up(value * PRICE_UNITS_PER_PAISA, quantity) if quantity else None


def _securities_tax(symbol: str, day: _Totals, squared_off: int, delivered: int, on: date) -> int:
    """Both parts at the average price of all trades, each to the whole rupee."""
    side = Side.BUY if delivered > 0 else Side.SELL
    value, quantity = day.buy_value + day.sell_value, day.bought + day.sold
    intraday = _rates(Product.MIS, symbol, Side.SELL, on)[1]
    delivery = _rates(Product.CNC, symbol, side, on)[1]
    return sum(
        divide_half_up(shares * value * rate, quantity * _RUPEES) * PAISE_PER_RUPEE
        for shares, rate in ((squared_off, intraday), (abs(delivered), delivery))
    )


def _charges(on: date, brokerage: int, securities: tuple[SecurityDay, ...]) -> Charges:
    turnover: defaultdict[str, int] = defaultdict(int)
    for line in securities:
        turnover[exchange_of(line.symbol)] += line.buy_value + line.sell_value
    exchange = ipft = 0
    for name, value in turnover.items():
        of_exchange = charge_rates(Product.CNC, name, Side.BUY, on).rates
        exchange += divide_half_up(value * of_exchange[2], RATE_UNIT)
        ipft += divide_half_up(value * of_exchange[3], RATE_UNIT)
    everywhere = charge_rates(Product.CNC, _HOME_EXCHANGE, Side.BUY, on).rates
    sebi = divide_half_up(sum(turnover.values()) * everywhere[4], RATE_UNIT)
    stt = sum(line.stt for line in securities)
    gst = tax_on(brokerage, exchange, sebi, everywhere)
    return (brokerage, stt, exchange, ipft, sebi, _stamp(on, securities), gst)


def _stamp(on: date, securities: tuple[SecurityDay, ...]) -> int:
    """On shares bought, at their own average price; whole rupees on the day's total."""
    exact = Fraction(0)
    for line in securities:
        if line.bought:
            delivered = max(line.delivered, 0)
            intraday_rate = _rates(Product.MIS, line.symbol, Side.BUY, on)[5]
            delivery_rate = _rates(Product.CNC, line.symbol, Side.BUY, on)[5]
            weighted = (line.bought - delivered) * intraday_rate + delivered * delivery_rate
            exact += Fraction(line.buy_value * weighted, line.bought)
    return divide_half_up(exact.numerator, exact.denominator * _RUPEES) * PAISE_PER_RUPEE


def _rates(product: Product, symbol: str, side: Side, on: date) -> Rates:
    return charge_rates(product, exchange_of(symbol), side, on).rates
