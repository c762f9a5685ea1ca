"""A user's books as answers: funds, holdings with live figures, the log of events.

Invariant: money and shares come from the ledger alone; a live price only ever adds to them, and
where there is none the figure is null, never zero.
"""

from dataclasses import dataclass

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping import reading
from functions.shared.domain.calendar import market_status
from functions.shared.domain.errors import Retryable
from functions.shared.domain.money import format_amount, format_price, value_of
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond
from functions.shared.runtime.logs import logger
from functions.shared.wire.events import (
    HoldingFacts,
    format_time,
    render_funds,
    render_holding,
)
from functions.shared.wire.quotes import Quote

#: The most symbols a portfolio shows; a page of holdings has its own limit.
HOLDINGS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class LivePosition:
    """A holding with its price. Money in paise; None where there is no price."""

    holding: HoldingFacts
    ltp: int | None
    value: int | None
    day_pnl: int | None
    unrealised_pnl: int | None


def show_funds(stores: Stores, user_id: int) -> Response[str]:
    """The account: cash, what orders hold, what can be spent and what can leave."""
    today = market_status(stores.clock.now(), stores.clock.hours).trade_date
    return respond(render_funds(reading.funds(stores.shards, user_id, today)))


def show_holdings(stores: Stores, user_id: int, after: str, limit: int) -> Response[str]:
    """What is held, with live value and profit; `next` is the symbol to go on after."""
    positions = _positions(stores, user_id, after, limit)
    return respond({"items": _rendered(positions), "next": _next(positions, limit)})


def show_positions(stores: Stores, user_id: int, after: str, limit: int) -> Response[str]:
    """What was bought on this trade date, among a page of holdings."""
    positions = _positions(stores, user_id, after, limit)
    today = [position for position in positions if position.holding.bought_today]
    return respond({"items": _rendered(today), "next": _next(positions, limit)})


def show_portfolio(stores: Stores, user_id: int) -> Response[str]:
    """Funds and holdings in one answer, with their sum; a null sum says that a price is missing."""
    positions = _positions(stores, user_id, "", HOLDINGS_MAX)
    today = market_status(stores.clock.now(), stores.clock.hours).trade_date
    funds = reading.funds(stores.shards, user_id, today)
    values = [position.value for position in positions]
    known = [value for value in values if value is not None]
    total = funds.cash - funds.borrowed + sum(known) if len(known) == len(values) else None
    return respond(
        {
            "funds": render_funds(funds),
            "holdings": _rendered(positions),
            "value": None if total is None else format_amount(total),
        }
    )


def list_events(stores: Stores, user_id: int, after: int, limit: int) -> Response[str]:
    """The log of the account's events in order; `next` is the seq to go on after."""
    rows = reading.events(stores.shards, user_id, after, limit)
    items = [
        {
            "seq": row.seq,
            "time": format_time(row.at),
            "kind": row.kind,
            "ref": None if row.ref is None else str(row.ref),
            "cash_change": format_amount(row.cash_change),
            "held_change": format_amount(row.held_change),
            "cash": format_amount(row.cash),
            "held": format_amount(row.held),
            "previous_hash": None if row.previous_hash is None else row.previous_hash.hex(),
            "hash": row.hash.hex(),
        }
        for row in rows
    ]
    return respond({"items": items, "next": str(rows[-1].seq) if len(rows) == limit else None})


def _positions(stores: Stores, user_id: int, after: str, limit: int) -> list[LivePosition]:
    today = market_status(stores.clock.now(), stores.clock.hours).trade_date
    held = reading.holdings(stores.shards, user_id, today, after, limit)
    try:
        quotes = stores.quotes.get([holding.symbol for holding in held])
    except Retryable as error:
        logger().warning("holdings without prices", why=str(error))
        quotes = {}
    return [_live(holding, quotes.get(holding.symbol)) for holding in held]


def _live(holding: HoldingFacts, quote: Quote | None) -> LivePosition:
    if quote is None or not quote.ltp:
        return LivePosition(holding, None, None, None, None)
    value = value_of(holding.quantity, quote.ltp)
    # Shares bought today moved from what they cost, the others from yesterday's close; the average
    # cost stands for the price of the day's buys.
    earlier = holding.quantity - holding.bought_today
    base = value_of(earlier, quote.close or quote.ltp)
    base += holding.cost * holding.bought_today // holding.quantity
    return LivePosition(holding, quote.ltp, value, value - base, value - holding.cost)


def _rendered(positions: list[LivePosition]) -> list[dict[str, object]]:
    return [
        {
            **render_holding(position.holding),
            "ltp": None if position.ltp is None else format_price(position.ltp),
            "value": _amount(position.value),
            "day_pnl": _amount(position.day_pnl),
            "unrealised_pnl": _amount(position.unrealised_pnl),
        }
        for position in positions
    ]


def _next(positions: list[LivePosition], limit: int) -> str | None:
    return positions[-1].holding.symbol if len(positions) == limit else None


def _amount(paise: int | None) -> str | None:
    return None if paise is None else format_amount(paise)
