"""The broker over HTTP: one method a route, problems as exceptions, amounts as exact decimals.

Invariant: a request that may have reached the broker without an answer raises UnreachableError,
never a refusal; only a call that is safe to repeat is repeated here.
"""

import contextlib
from collections.abc import Mapping
from datetime import date
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from outcry_client.errors import SignedOutError
from outcry_client.session import Session
from tui.client.broker import RefusedError, UnreachableError
from tui.client.chain import LedgerRow, OrderChain
from tui.client.devices import DeviceTokens
from tui.client.market_status import MarketStatus
from tui.client.models import (
    Funds,
    Holding,
    Instrument,
    Order,
    OrderDetail,
    Page,
    Plan,
    Position,
    Preview,
    Problem,
    Profile,
    Quote,
    Tokens,
)
from tui.client.prices import Candle, Found, KeptWatchlist

Answer = TypeVar("Answer")

TIMEOUT_S = 5.0
BODY_BYTES_MAX = 4 * 1024 * 1024
"""A larger answer is refused unread: no list page of the contract comes near it."""
PAGE_LIMIT = 500
PAGES_MAX = 4
"""The blotter starts from the newest 2,000 orders; older ones are history, not a blotter."""
PLANS_SHOWN = 50
TOTP_DIGITS = 6

LEDGER_PAGES_MAX = 20
"""Of 500 events each, between an order's first event and its last."""


class _Nothing(msgspec.Struct, frozen=True):
    """The answer of a route that answers 204."""


class _Health(msgspec.Struct, frozen=True):
    stream: str | None = None


class HttpBroker:
    """Fulfils `Broker` against a base URL."""

    def __init__(
        self,
        api_url: str,
        stream_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        devices: DeviceTokens | None = None,
    ) -> None:
        self._url = api_url.rstrip("/")
        self._stream_url = stream_url
        self._devices = devices
        self._http = httpx.AsyncClient(
            base_url=self._url, timeout=TIMEOUT_S, transport=transport, trust_env=False
        )
        self.session = Session(self._refresh)

    async def sign_in(self, username: str, password: str, code: str) -> Profile:
        """Start a session by an authenticator's six digits, or else a recovery code. Raises
        RefusedError when a credential is wrong, and with LOGIN_HELD when a code was mailed, which
        `answer_challenge` takes with the problem's `challenge_id`."""
        factor = "totp" if len(code) == TOTP_DIGITS else "recovery_code"
        body = {"username": username, "password": password, factor: code}
        device_token = self._devices.of(username) if self._devices else None
        if device_token is not None:
            body["device_token"] = device_token
        return await self._begin(username, "/v1/auth/login", body)

    async def answer_challenge(self, username: str, challenge_id: str, code: str) -> Profile:
        """Start the session that was held. Raises RefusedError when the code is wrong."""
        body = {"challenge_id": challenge_id, "code": code}
        return await self._begin(username, "/v1/auth/challenge", body)

    async def sign_out(self) -> None:
        """End the session at the broker, and here whatever the broker says."""
        try:
            await self._signed("POST", "/v1/auth/logout", _Nothing)
        finally:
            self.session.end()

    async def funds(self) -> Funds:
        return await self._signed("GET", "/v1/funds", Funds)

    async def orders(self) -> list[Order]:
        return await self._pages("/v1/orders", Page[Order])

    async def holdings(self) -> list[Holding]:
        return await self._pages("/v1/holdings", Page[Holding])

    async def positions(self) -> list[Position]:
        return await self._pages("/v1/positions", Page[Position])

    async def preview(self, body: Mapping[str, object]) -> Preview:
        return await self._signed("POST", "/v1/orders/preview", Preview, body)

    async def place(self, body: Mapping[str, object]) -> Order:
        """Place an order; `body` carries its client_order_id, so repeating it is safe."""
        return await self._signed("POST", "/v1/orders", Order, body)

    async def modify(self, order_id: str, body: Mapping[str, object]) -> Order:
        return await self._signed("PATCH", f"/v1/orders/{quote(order_id, safe='')}", Order, body)

    async def cancel(self, order_id: str, request_id: str) -> Order:
        """Ask for a cancel, whatever the order's version: what is left of it is to end."""
        path = f"/v1/orders/{quote(order_id, safe='')}"
        return await self._signed("DELETE", path, Order, {"request_id": request_id})

    async def order(self, order_id: str) -> OrderDetail:
        """An order's whole life."""
        return await self._signed("GET", f"/v1/orders/{quote(order_id, safe='')}", OrderDetail)

    async def chain(self, order_id: str) -> OrderChain:
        """An order with its fills, and what its events did to the account's money."""
        path = f"/v1/orders/{quote(order_id, safe='')}"
        chain = await self._signed("GET", path, OrderChain)
        wanted = {step.seq for step in chain.history}
        rows: list[LedgerRow] = []
        cursor = str(min(wanted, default=1) - 1)
        for _ in range(LEDGER_PAGES_MAX):
            page = await self._signed(
                "GET", "/v1/ledger", Page[LedgerRow], params={"cursor": cursor, "limit": "500"}
            )
            rows += [row for row in page.items if row.seq in wanted]
            if page.next is None or int(page.next) >= max(wanted, default=0):
                break
            cursor = page.next
        return msgspec.structs.replace(chain, ledger=rows)

    async def plans(self) -> list[Plan]:
        """The newest PLANS_SHOWN plans: an account has far fewer open."""
        page = await self._signed(
            "GET", "/v1/plans", Page[Plan], params={"limit": str(PLANS_SHOWN)}
        )
        return page.items

    async def plan(self, plan_id: str) -> Plan:
        return await self._signed("GET", f"/v1/plans/{quote(plan_id, safe='')}", Plan)

    async def open_plan(self, body: Mapping[str, object]) -> Plan:
        """Open a plan; `body` carries its client_id, so repeating it is safe."""
        return await self._signed("POST", "/v1/plans", Plan, body)

    async def cancel_plan(self, plan_id: str) -> Plan:
        """Ask a plan to end, and the order of its that works with it."""
        return await self._signed("DELETE", f"/v1/plans/{quote(plan_id, safe='')}", Plan)

    async def instrument(self, symbol: str) -> Instrument:
        """What is listed under `symbol`. Raises RefusedError when nothing is."""
        return await self._signed("GET", f"/v1/instruments/{quote(symbol, safe='')}", Instrument)

    async def market(self) -> MarketStatus:
        return await self._signed("GET", "/v1/market/status", MarketStatus)

    async def search(self, text: str) -> Found:
        return await self._signed("GET", "/v1/search", Found, params={"q": text, "limit": "10"})

    async def movers(self, by: str) -> list[Quote]:
        """The day's GAINERS, LOSERS, or those that traded most (VOLUME)."""
        params = {"by": by, "limit": "20"}
        page = await self._signed("GET", "/v1/market/movers", Page[Quote], params=params)
        return page.items

    async def candles(self, symbol: str, interval: str, first: date) -> list[Candle]:
        """Oldest first, from the day `first` in India to now. Raises RefusedError, with the code
        NO_CANDLES where none are kept."""
        path = f"/v1/candles/{quote(symbol, safe='')}"
        params = {"interval": interval, "from": first.isoformat(), "adjusted": "true"}
        page = await self._signed("GET", path, Page[Candle], params=params)
        return page.items

    async def watchlists(self) -> list[KeptWatchlist]:
        page = await self._signed("GET", "/v1/watchlists", Page[KeptWatchlist])
        return page.items

    async def open_watchlist(self, body: Mapping[str, object]) -> KeptWatchlist:
        """A list behind the others. Raises RefusedError NAME_TAKEN, also when asked again."""
        return await self._signed("POST", "/v1/watchlists", KeptWatchlist, body)

    async def change_watchlist(
        self, watchlist_id: str, body: Mapping[str, object]
    ) -> KeptWatchlist:
        """Raises RefusedError VERSION_MOVED when another device was faster."""
        path = f"/v1/watchlists/{quote(watchlist_id, safe='')}"
        return await self._signed("PATCH", path, KeptWatchlist, body)

    async def drop_watchlist(self, watchlist_id: str) -> None:
        path = f"/v1/watchlists/{quote(watchlist_id, safe='')}"
        await self._signed("DELETE", path, _Nothing)

    async def stream_url(self) -> str:
        """Where the stream is: as told at start, as `/health` says, or beside the API."""
        if self._stream_url is None:
            health = await self._send("GET", "/health", _Health)
            beside = self._url.replace("http", "ws", 1) + "/v1/stream"
            self._stream_url = health.stream or beside
        return self._stream_url

    async def close(self) -> None:
        await self._http.aclose()

    async def _begin(self, username: str, path: str, body: Mapping[str, object]) -> Profile:
        tokens = await self._send("POST", path, Tokens, body)
        self.session.begin(tokens)
        if self._devices is not None and tokens.device_token is not None:
            with contextlib.suppress(OSError):  # signed in all the same, as from a new device
                self._devices.keep(username, tokens.device_token)
        return await self._signed("GET", "/v1/profile", Profile)

    async def _refresh(self, refresh_token: str) -> Tokens:
        body = {"refresh_token": refresh_token}
        try:
            return await self._send("POST", "/v1/auth/refresh", Tokens, body)
        except RefusedError as refusal:
            if refusal.problem.status == httpx.codes.TOO_MANY_REQUESTS:
                raise UnreachableError(str(refusal)) from refusal
            raise SignedOutError(str(refusal)) from refusal

    async def _pages(self, path: str, page_type: type[Page[Answer]]) -> list[Answer]:
        items: list[Answer] = []
        params = {"limit": str(PAGE_LIMIT)}
        for _ in range(PAGES_MAX):
            page = await self._signed("GET", path, page_type, params=params)
            items.extend(page.items)
            if page.next is None:
                break
            params["cursor"] = page.next
        return items

    async def _signed(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send with the session's token, renewing it once if the broker refuses it."""
        token = await self.session.bearer()
        try:
            return await self._send(method, path, answer, body, params, token)
        except RefusedError as refusal:
            if refusal.problem.status != httpx.codes.UNAUTHORIZED:
                raise
        await self.session.renew(token)
        token = await self.session.bearer()
        return await self._send(method, path, answer, body, params, token)

    async def _send(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            async with self._http.stream(
                method, path, content=content, params=params, headers=headers
            ) as response:
                received = await _read(response)
        except httpx.HTTPError as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        return _answer(response, received, answer)


async def _read(response: httpx.Response) -> bytes:
    received = bytearray()
    async for chunk in response.aiter_bytes():
        received += chunk
        if len(received) > BODY_BYTES_MAX:
            raise UnreachableError(f"an answer of more than {BODY_BYTES_MAX} bytes")
    return bytes(received)


def _answer(response: httpx.Response, body: bytes, answer: type[Answer]) -> Answer:
    """Read a success as `answer`, a problem as RefusedError; 5xx leaves the outcome unknown."""
    if response.is_success:
        if not body and answer is _Nothing:
            return answer()
        try:
            return msgspec.json.decode(body, type=answer)
        except msgspec.MsgspecError as error:
            route = f"{response.request.method} {response.request.url.path}"
            text = f"{route} gave an answer that can't be read: {error}"
            raise UnreachableError(text) from error
    problem = _problem(response.status_code, body)
    if response.is_server_error:
        raise UnreachableError(str(problem))
    raise RefusedError(problem)


def _problem(status: int, body: bytes) -> Problem:
    """A proxy's own error page is no problem document; the status alone is kept then."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        return Problem(status=status, code=f"http_{status}", title=f"The broker answered {status}")
    return msgspec.structs.replace(problem, status=status)
