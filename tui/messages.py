"""The glossary of messages: what workers tell the trading screen, and widgets each other."""

from dataclasses import dataclass

from textual.message import Message

from tui.client.broker import Link
from tui.client.chain import OrderChain
from tui.client.models import (
    Instrument,
    Order,
    OrderDetail,
    Plan,
    Position,
    Preview,
    PrivateEvent,
)
from tui.client.prices import KeptWatchlist
from tui.state.account import Account
from tui.state.market import MarketClock
from tui.state.requests import Request
from tui.state.ticket import Errors


class QuotesChanged(Message):
    """Prices wait in the listener, or others are stale now. One such message stands for any
    number of quotes."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, QuotesChanged)


@dataclass
class AccountLoaded(Message):
    """The account as HTTP gave it."""

    account: Account


@dataclass
class AccountChanged(Message):
    """Private events, in order; never dropped and never merged."""

    events: list[PrivateEvent]


@dataclass
class PositionsLoaded(Message):
    """The day's positions as HTTP gave them."""

    positions: list[Position]


@dataclass
class MarketTold(Message):
    """The market's phase and business time, as just read."""

    market: MarketClock


@dataclass
class LinkChanged(Message):
    """The connection's new state and why."""

    link: Link
    detail: str


@dataclass
class InstrumentFound(Message):
    """What is listed under a symbol the terminal asked about."""

    instrument: Instrument


@dataclass
class SymbolUnknown(Message):
    """Nothing is listed under what was typed."""

    symbol: str


@dataclass
class BrokerNotice(Message):
    """Something the broker says that is neither price nor account."""

    kind: str
    code: str
    text: str


@dataclass
class SessionEnded(Message):
    """The broker no longer accepts this session."""

    reason: str


@dataclass
class OrderAnswered(Message):
    """The broker took an order (`is_placed`), a modification or a cancel."""

    order: Order
    is_placed: bool = False


@dataclass
class PlanTold(Message):
    """A plan as HTTP gave it; `is_placed` when it has just been opened."""

    plan: Plan
    is_placed: bool = False


@dataclass
class HistoryTold(Message):
    """An order's whole life as HTTP gave it, or (with `trouble`) why it can't be had."""

    order_id: str
    detail: OrderDetail | None
    trouble: str = ""


@dataclass
class WatchlistsTold(Message):
    """The user's watchlists as the broker has them; `shown_id` names one to be shown."""

    lists: list[KeptWatchlist]
    shown_id: str = ""


@dataclass
class WatchlistMoved(Message):
    """One has another version, or is gone (None); without an id any may have changed."""

    watchlist_id: str | None
    version: int | None


@dataclass
class WhyTold(Message):
    """An order's chain as HTTP gave it, or (with `trouble`) why it can't be had."""

    order_id: str
    chain: OrderChain | None
    trouble: str = ""


@dataclass
class OrderRefused(Message):
    """The broker refused an order, by field as `state.ticket.Errors`."""

    errors: Errors


@dataclass
class DraftChanged(Message):
    """The ticket's draft became this order, or None while it is not yet one."""

    request: Request | None
    symbol: str


@dataclass
class PreviewArrived(Message):
    """What the ticket's draft would cost."""

    request: Request
    preview: Preview


@dataclass
class OrderReviewed(Message):
    """The user wants to send the ticket's order."""

    request: Request
    preview: Preview | None
