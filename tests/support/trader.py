"""A plain client of the running stack, as a stranger would write one from the API's page.

It shares no code with the product: httpx, a bare WebSocket, and its own arithmetic on decimals.
"""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Self

import httpx
import pyotp
from websockets.sync.client import ClientConnection, connect

TOTP_SECONDS = 30
BUSY_SECONDS = 120
FINAL = {"FILLED", "CANCELLED", "REJECTED", "DENIED", "EXPIRED"}


class Trader:
    """One signed-in user, who stays signed in. A one-time code works once, so signing in again may
    wait for the next."""

    def __init__(self, api: str, stream: str, user: dict[str, str]) -> None:
        self.user = user
        self._api = api
        self._stream = stream
        hooks = {"request": [self._renew_in_time]}
        # No authorities are loaded, which would take longer than signing in: it is plain HTTP.
        self.http = httpx.Client(base_url=api, timeout=60, event_hooks=hooks, verify=False)
        self.token = ""
        self.refresh_token = ""
        self._device_token = ""
        self._renew_at = float("inf")
        self._renewing = threading.Lock()

    def sign_in(self) -> Self:
        """A code that was used gives way to the next one; the device's token goes along, as a
        client keeps it, so that others who sign in as the same user never make this one wait."""
        deadline = time.monotonic() + 2 * TOTP_SECONDS + BUSY_SECONDS
        while True:
            code = pyotp.TOTP(self.user["totp_secret"]).now()
            body = {**{k: self.user[k] for k in ("username", "password")}, "totp": code}
            if self._device_token:
                body["device_token"] = self._device_token
            answer = httpx.post(f"{self._api}/v1/auth/login", json=body, timeout=60, verify=False)
            if answer.status_code == httpx.codes.OK:
                self._device_token = answer.json()["device_token"]
                self._begin(answer.json())
                return self
            if time.monotonic() > deadline:
                raise AssertionError(f"can't sign in: {answer.status_code} {answer.text}")
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                time.sleep(TOTP_SECONDS - time.time() % TOTP_SECONDS)
            else:
                time.sleep(float(answer.headers.get("Retry-After", 1)))

    def _begin(self, tokens: Any) -> None:
        self.token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self._renew_at = time.monotonic() + 0.8 * float(tokens["expires_in"])

    def _renew_in_time(self, request: httpx.Request) -> None:
        """Before a request with a token of its own that is old: gets the next one, and sends that.
        A session that is over (the day's logout) gives way to another. An API that is away is asked
        for it before the next request."""
        with self._renewing:
            old = f"Bearer {self.token}"
            if request.headers.get("Authorization") != old or time.monotonic() < self._renew_at:
                return
            body = {"refresh_token": self.refresh_token}
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.post(f"{self._api}/v1/auth/refresh", json=body, verify=False)
                if answer.status_code == httpx.codes.OK:
                    self._begin(answer.json())
                elif answer.status_code == httpx.codes.UNAUTHORIZED:
                    self.sign_in()
                request.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str, **query: Any) -> Any:
        """The answer's JSON. A 503 is asked again when it says, as any client should."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self.http.get(path, params=query)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            assert time.monotonic() < deadline, f"{path}: {answer.text}"
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def place(self, **order: Any) -> httpx.Response:
        body = {"client_order_id": str(uuid.uuid4()), "type": "LIMIT", **order}
        return self.http.post("/v1/orders", json=body)

    def price(self, symbol: str) -> Decimal:
        return Decimal(self.get("/v1/quotes", symbols=symbol)["items"][0]["ltp"])

    def order(self, order_id: str) -> Any:
        return self.get(f"/v1/orders/{order_id}")

    def every_order(self) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get("/v1/orders", limit=500, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def wait_for(self, order_id: str, status: set[str], seconds: float = BUSY_SECONDS) -> Any:
        return eventually(
            lambda: self.order(order_id), lambda order: order["status"] in status, seconds
        )

    @contextlib.contextmanager
    def stream(self) -> Iterator["Stream"]:
        headers = {"Authorization": f"Bearer {self.token}"}
        with connect(
            self._stream,
            additional_headers=headers,
            subprotocols=["outcry.v1.json"],  # type: ignore[list-item]
        ) as socket:
            yield Stream(socket)


class Stream:
    """The stream's objects in the order they came, whether alone or several to a message."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.seen: list[Any] = []

    def send(self, **message: Any) -> None:
        self._socket.send(json.dumps(message))

    def until(self, wanted: Callable[[Any], bool], seconds: float = BUSY_SECONDS) -> Any:
        """The first object from now on that is wanted; all on the way are kept in `seen`."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self._socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            objects = message if isinstance(message, list) else [message]
            self.seen += objects
            for item in objects:
                if wanted(item):
                    return item


def eventually(read: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float) -> Any:
    """Reads until it is what is wanted. Raises AssertionError with the last reading."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if wanted(value):
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last was {value!r}")
        time.sleep(0.05)
