"""The functions of the order path over a real PostgreSQL and a real Valkey, by API events.

Who a token belongs to is decided by the test; the verifier has tests of its own.
"""

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from functions.ledger import handler as ledger
from functions.ledger import notes_handler as notes
from functions.market import handler as market
from functions.orders import handler as orders
from functions.risk import handler as risk
from functions.shared.access.call_rates import CallRates
from functions.shared.access.principal import SCOPES, Principal
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.clock import micros, wall_now
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.errors import Refused
from functions.shared.runtime import composition
from functions.shared.stores.bank import Bank
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.valkey import Valkey, open_valkey
from functions.shared.wire.order_routes import ROUTES_KEY, Route, Routes, encode_routes
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from infra.local.postgres import APPLICATION, EDGE, OWNER
from tests.support.api_events import Answer, api_event, call
from tests.support.bank import BankProcess, bank_process
from tests.support.ledger import NOON
from tests.support.postgres import PostgresUnderTest, fresh_databases
from tests.support.valkey import valkey_server

HANDLERS = {"orders": orders, "contract-notes": notes, "funds": ledger, "holdings": ledger,
            "instruments": market, "ledger": ledger, "market": market, "plans": orders,
            "portfolio": ledger, "positions": ledger, "risk": risk,
            "statements": ledger}  # fmt: skip


class SetClock:
    """NSE's hours, at the time a test sets."""

    hours: Literal["nse", "always-open"] = "nse"

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def business_at(self, wall: datetime) -> datetime:
        return self.at


class NamedVerifier:
    """The token `user-7` is user 7's, on a paper account; `live-7` on a live one; `program-7` is a
    program's of theirs."""

    def admit(self, token: str, *_: object) -> Principal:
        name, _, number = token.partition("-")
        if name not in {"user", "live", "program"} or not number.isdecimal():
            raise Refused(401, "TOKEN_INVALID", "not a token")
        mode: Any = "LIVE" if name == "live" else "PAPER"
        return Principal(
            int(number),
            "s",
            ("user",),
            mode,
            "IN",
            wall_now() + timedelta(minutes=5),
            SCOPES,
            algo_id="NSE-7" if name == "program" else None,
        )


class OrderStores:
    """What `composition.stores()` gives, with its parts in a test's hands."""

    def __init__(self, shards: Shards, valkey: Valkey, bank: Bank) -> None:
        self.shards = shards
        self.valkey = valkey
        self.bank = bank
        self.quotes = QuoteCache(valkey)
        self.instruments = InstrumentMaster(shards.control)
        self.clock = SetClock()
        self.edge_urls: list[str] = []
        self.owner_urls: list[str] = []
        self.verifier = NamedVerifier()
        self.call_rates = CallRates(None, None, None)

    def quote(self, symbol: str, rupees: float, age: timedelta = timedelta()) -> None:
        """Puts a last price into the cache; the previous close is the same."""
        units = round(rupees * 10_000)
        at = micros(datetime.now(UTC) - age) // 1000
        quote = Quote(symbol, 1, 1, at, units, 1, units, units, units, units, 1, units)
        self.valkey.set(quote_key(symbol), encode_value(encode_record(quote)))
        if not self.valkey.exists(ROUTES_KEY):
            self.route()

    def route(self, *, up: bool = True) -> None:
        """What the order gateway says of its two sessions, for as long as a test takes."""
        names = ("OUTCRY-O1", "OUTCRY-O2")
        routes = Routes(routes=tuple(Route(name=name, up=up, since=0) for name in names))
        self.valkey.set(ROUTES_KEY, encode_routes(routes))


@pytest.fixture(scope="package")
def bank() -> Iterator[BankProcess]:
    with bank_process() as running:
        yield running


@contextlib.contextmanager
def opened_stores(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases and a cache of the caller's own."""
    with fresh_databases(postgres) as databases, valkey_server() as server:
        shards = Shards(databases.urls(APPLICATION), "test")
        valkey = open_valkey(server.url)
        made = OrderStores(shards, valkey, bank.client())
        made.edge_urls = databases.urls(EDGE)
        made.owner_urls = databases.urls(OWNER)
        yield made
        valkey.close()
        shards.close()


@pytest.fixture(scope="package")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    with opened_stores(postgres, bank) as made:
        yield made


@pytest.fixture
def stores(opened: OrderStores, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderStores]:
    """The functions' stores, with live prices of two symbols and none of the others."""
    monkeypatch.setattr(composition, "stores", lambda: opened)
    opened.valkey.flushall()
    opened.quote("RELIANCE", 1500)
    opened.quote("M&M", 3000)
    yield opened
    opened.clock.at = NOON


class Client:
    """A signed-in user of the API."""

    def __init__(self, user_id: int, token: str) -> None:
        self.user_id = user_id
        self.token = token

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        part = target.split("?")[0].split("/")[2]
        module = risk if target.endswith("/preview") else HANDLERS[part]
        return call(module.lambda_handler, api_event(method, target, body, token=self.token))

    def order(self, key: str, **changes: object) -> Answer:
        """Places a limit buy of one RELIANCE at 1500 unless told otherwise."""
        return self.ask("POST", "/v1/orders", order_body(client_order_id=key, **changes))


def order_body(**changes: object) -> dict[str, object]:
    """An order's body; a field given as `...` is left out."""
    body: dict[str, object] = {
        "symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 1, "price": "1500.00",
    }  # fmt: skip
    body |= changes
    return {name: value for name, value in body.items() if value is not ...}


_users = itertools.count(1, 37)


@pytest.fixture
def client(stores: OrderStores) -> Client:
    """A new user with one lakh rupees."""
    user_id = next(_users)
    open_account(stores.shards, user_id, NOON, AccountClass.TEST)
    made = Client(user_id, f"user-{user_id}")
    answer = made.ask("POST", "/v1/funds/deposits", {"client_id": "start", "amount": "100000.00"})
    assert answer.status == 202
    return made


@pytest.fixture
def stranger(stores: OrderStores) -> Client:
    """Another user, with an account and nothing in it."""
    user_id = next(_users)
    open_account(stores.shards, user_id, NOON, AccountClass.TEST)
    return Client(user_id, f"user-{user_id}")
