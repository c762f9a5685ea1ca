"""A user's books as answers: funds, holdings and positions with live figures, the log of events.

Invariant: money and shares come from the ledger alone; a live price only ever adds to them, and
where there is none the figure is null, never zero. Holdings are delivery shares; positions are what
the day's trades come to, so a delivery buy of today shows in both.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping import reading
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Retryable
from functions.shared.domain.money import format_amount, format_price, value_of
from functions.shared.domain.orders import Product
from functions.shared.domain.valuation import day_base, unrealised
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.runtime.logs import logger
from functions.shared.wire.events import (
    FundsFacts,
    HoldingFacts,
    PositionFacts,
    format_time,
    render_funds,
    render_holding,
    render_position,
)
from functions.shared.wire.quotes import Quote

#: The most holdings and the most positions a portfolio shows; a page of them has its own limit.
PORTFOLIO_MAX = 5_000
#: A place among positions as a cursor: product, symbol, and the day by its number since the year 1.
PLACE = "^(CNC|MIS):[ -~]{1,36}:[1-9][0-9]{5}$"

Quotes = Mapping[str, Quote]


def show_funds(stores: Stores, user_id: int) -> Response[str]:
    """The account: cash, what orders hold, what can be spent and what can leave, and what is kept
    for shares that were not delivered."""
    return respond(
        _render_account(*reading.funds_and_shortages(stores.shards, user_id, _today(stores)))
    )


def show_holdings(stores: Stores, user_id: int, after: str, limit: int) -> Response[str]:
    """What is held, with live value and profit; `next` is the symbol to go on after."""
    held = reading.holdings(stores.shards, user_id, _today(stores), after, limit)
    quotes = _quotes(stores, (holding.symbol for holding in held))
    items = [_holding(holding, quotes.get(holding.symbol)) for holding in held]
    return respond({"items": items, "next": held[-1].symbol if len(held) == limit else None})


def show_positions(
    stores: Stores, user_id: int, after: reading.PositionPlace, limit: int
) -> Response[str]:
    """What the day's trades come to by product and symbol, from the place behind `after`; `next`
    names the last place."""
    found = reading.positions(stores.shards, user_id, _today(stores), after, limit)
    quotes = _quotes(stores, (position.symbol for position in found))
    items = [_position(position, quotes.get(position.symbol)) for position in found]
    return respond({"items": items, "next": _place(found[-1]) if len(found) == limit else None})


def read_place(cursor: str) -> reading.PositionPlace:
    """The place that `next` named, which fits PLACE."""
    product, _, rest = cursor.partition(":")
    symbol, _, day = rest.rpartition(":")
    return product, symbol, date.fromordinal(int(day))


def _place(position: PositionFacts) -> str:
    day = date.fromisoformat(position.trade_date).toordinal()
    return f"{position.product}:{position.symbol}:{day}"


def show_portfolio(stores: Stores, user_id: int) -> Response[str]:
    """Funds, holdings and positions in one answer, with what they are worth together; a null sum
    says that a price is missing."""
    today = _today(stores)
    held = reading.holdings(stores.shards, user_id, today, "", PORTFOLIO_MAX)
    traded = reading.positions(stores.shards, user_id, today, reading.FIRST_POSITION, PORTFOLIO_MAX)
    funds, valued = reading.funds_and_shortages(stores.shards, user_id, today)
    quotes = _quotes(stores, {h.symbol for h in held} | {p.symbol for p in traded})
    # Delivery shares are worth what they would fetch. The value of intraday ones never left the
    # cash, so they add what closing them would bring. Of a short delivery that is the sale without
    # what buying costs, and the valuation, which was debited, comes back.
    worth = [_worth(holding, quotes.get(holding.symbol)) for holding in held]
    worth += [
        _unrealised(position, quotes.get(position.symbol))
        for position in traded
        if position.product == Product.MIS
    ]
    known = [each for each in worth if each is not None]
    total = None
    if len(known) == len(worth):
        total = funds.cash - funds.borrowed + valued + sum(known)
    return respond(
        {
            "funds": _render_account(funds, valued),
            "holdings": [_holding(each, quotes.get(each.symbol)) for each in held],
            "positions": [_position(each, quotes.get(each.symbol)) for each in traded],
            "value": _amount(total),
        }
    )


def list_events(stores: Stores, user_id: int, after: int, limit: int) -> Response[str]:
    """The log of the account's events in order; `next` is the seq to go on after."""
    rows = reading.events(stores.shards, user_id, after, limit)
    items = [render_row(row) for row in rows]
    return respond({"items": items, "next": str(rows[-1].seq) if len(rows) == limit else None})


def render_row(row: reading.LedgerRow) -> dict[str, object]:
    """One event of the log. `ref` is the order or the payment that the event itself names;
    `payment_id` and `client_id` say of money in and out whose request it was, a deposit's too."""
    return {
        "seq": row.seq,
        "time": format_time(row.at),
        "kind": row.kind,
        "ref": None if row.ref is None else str(row.ref),
        "payment_id": None if row.payment_id is None else str(row.payment_id),
        "client_id": row.client_id,
        "cash_change": format_amount(row.cash_change),
        "held_change": format_amount(row.held_change),
        "cash": format_amount(row.cash),
        "held": format_amount(row.held),
        "borrowed": format_amount(row.borrowed),
        "previous_hash": None if row.previous_hash is None else row.previous_hash.hex(),
        "hash": row.hash.hex(),
    }


def _render_account(funds: FundsFacts, valued: int) -> dict[str, object]:
    """`short_delivery` is no part of what an event tells: the stream's funds are without it."""
    return {**render_funds(funds), "short_delivery": format_amount(valued)}


def _today(stores: Stores) -> date:
    return market_status(stores.clock.now(), stores.clock.hours).trade_date


def _quotes(stores: Stores, symbols: Iterable[str]) -> Quotes:
    """The live prices there are; none while the cache is away."""
    try:
        found = stores.quotes.get(list(symbols))
    except Retryable as error:
        logger().warning("books without prices", why=str(error))
        return {}
    return {symbol: quote for symbol, quote in found.items() if quote.ltp}


def _holding(holding: HoldingFacts, quote: Quote | None) -> dict[str, object]:
    value = _worth(holding, quote)
    return {
        **render_holding(holding),
        "ltp": _ltp(quote),
        "value": _amount(value),
        "day_pnl": _amount(_day_pnl(holding, quote)),
        "unrealised_pnl": _amount(None if value is None else value - holding.cost),
    }


def _worth(holding: HoldingFacts, quote: Quote | None) -> int | None:
    return None if quote is None else value_of(holding.quantity, quote.ltp)


def _day_pnl(holding: HoldingFacts, quote: Quote | None) -> int | None:
    if quote is None:
        return None
    close = quote.close or quote.ltp
    base = day_base(holding.quantity, holding.bought_today, holding.cost, close)
    return value_of(holding.quantity, quote.ltp) - base


def _position(position: PositionFacts, quote: Quote | None) -> dict[str, object]:
    gain = _unrealised(position, quote)
    return {
        **render_position(position),
        "ltp": _ltp(quote),
        "value": _amount(None if quote is None else value_of(position.net, quote.ltp)),
        "unrealised_pnl": _amount(gain),
        "day_pnl": _amount(None if gain is None else position.realised + gain),
    }


def _unrealised(position: PositionFacts, quote: Quote | None) -> int | None:
    if position.net == 0:
        return 0
    return None if quote is None else unrealised(position.net, position.open_value, quote.ltp)


def _ltp(quote: Quote | None) -> str | None:
    return None if quote is None else format_price(quote.ltp)


def _amount(paise: int | None) -> str | None:
    return None if paise is None else format_amount(paise)
