"""Outcry's client library: a signed-in session, and a stream that comes back by itself.

The terminal and your programs follow the stream through the same code. Needs websockets and httpx,
and nothing else of this tree; README.md shows a whole program.
"""

from outcry_client.alerts import PriceAlerts
from outcry_client.api import Api
from outcry_client.errors import BrokerError, RefusedError, SignedOutError, UnreachableError
from outcry_client.limits import Limits
from outcry_client.market import Market
from outcry_client.protocol import Notice
from outcry_client.reconnecting import Link, Listener
from outcry_client.session import Session, Tokens
from outcry_client.stream import AccountEvent, Price, StreamClient
from outcry_client.watchlists import Watchlists

__all__ = [
    "AccountEvent",
    "Api",
    "BrokerError",
    "Limits",
    "Link",
    "Listener",
    "Market",
    "Notice",
    "Price",
    "PriceAlerts",
    "RefusedError",
    "Session",
    "SignedOutError",
    "StreamClient",
    "Tokens",
    "UnreachableError",
    "Watchlists",
]
