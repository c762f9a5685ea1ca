"""The broker over HTTP, as far as a program that follows the stream needs it.

Invariant: a request that may have reached the broker without an answer raises UnreachableError,
never a refusal; nothing but a token that ran out is sent again here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from outcry_client.errors import RefusedError, SignedOutError, UnreachableError
from outcry_client.limits import DEFAULTS, Limits
from outcry_client.session import Session, Tokens


@dataclass(frozen=True, slots=True)
class _Tokens:
    access_token: str
    expires_in: int
    refresh_token: str


class Api:
    """One user's signed-in session. `async with Api(url) as api` closes its connections.

    `device_token`: what an earlier sign-in left here, kept where only the user can read it: by it
    the broker knows this device again.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        limits: Limits = DEFAULTS,
        device_token: str | None = None,
    ) -> None:
        self.device_token = device_token
        self._url, self._limits = url.rstrip("/"), limits
        self._http = httpx.AsyncClient(
            base_url=self._url, timeout=limits.answer_seconds, transport=transport, trust_env=False
        )
        self.session = Session(self.refresh, renew_seconds=limits.renew_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def sign_in(self, username: str, password: str, totp: str) -> None:
        """Start a session. Raises RefusedError when a credential is wrong, and with the code
        LOGIN_HELD when a code was mailed: `answer_challenge` takes both."""
        body = {"username": username, "password": password, "totp": totp}
        if self.device_token is not None:
            body["device_token"] = self.device_token
        self._begin(await self._send("POST", "/v1/auth/login", body))

    async def answer_challenge(self, challenge_id: str, code: str) -> None:
        """Start the session that was held. `challenge_id`: of the refusal's `problem`. Raises
        RefusedError when the mailed code is wrong."""
        body = {"challenge_id": challenge_id, "code": code}
        self._begin(await self._send("POST", "/v1/auth/challenge", body))

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON, None where it has none; the token is renewed once if it is refused.

        Raises RefusedError, UnreachableError or SignedOutError.
        """
        token = await self.session.bearer()
        try:
            return await self._send(method, path, body, token)
        except RefusedError as refusal:
            if refusal.status != httpx.codes.UNAUTHORIZED:
                raise
        await self.session.renew(token)
        return await self._send(method, path, body, await self.session.bearer())

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens for a refresh token, which works once. Raises SignedOutError when it
        is not accepted, UnreachableError without an answer. `session` asks this by itself."""
        try:
            answer = await self._send("POST", "/v1/auth/refresh", {"refresh_token": refresh_token})
        except RefusedError as refusal:
            if refusal.status == httpx.codes.TOO_MANY_REQUESTS:
                raise UnreachableError(str(refusal)) from refusal
            raise SignedOutError(str(refusal)) from refusal
        return _tokens(answer)

    async def stream_url(self) -> str:
        """Where the stream is: as `/health` says, or beside the API."""
        health = await self._send("GET", "/health")
        return str(health.get("stream") or self._url.replace("http", "ws", 1) + "/v1/stream")

    def _begin(self, answer: Any) -> None:
        self.session.begin(_tokens(answer))
        self.device_token = answer.get("device_token", self.device_token)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        received = bytearray()
        try:
            async with self._http.stream(method, path, json=body, headers=headers) as response:
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > self._limits.answer_bytes:
                        raise UnreachableError("an answer larger than `answer_bytes`")
        except httpx.HTTPError as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        return _answer(response.status_code, bytes(received))


def _answer(status: int, body: bytes) -> Any:
    """Read a success; 5xx leaves the outcome unknown, and so does what can't be read."""
    answer = httpx.Response(status, content=body)
    try:
        content = answer.json() if body else None
    except ValueError as error:
        raise UnreachableError(f"answered {status} with what is not JSON") from error
    if answer.is_success:
        return content
    refused = RefusedError(status, content if isinstance(content, dict) else {})
    if answer.is_server_error:
        raise UnreachableError(str(refused)) from refused
    raise refused


def _tokens(answer: Any) -> _Tokens:
    """Raises UnreachableError for an answer that holds none."""
    try:
        return _Tokens(
            str(answer["access_token"]), int(answer["expires_in"]), str(answer["refresh_token"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreachableError("a sign-in was answered without tokens") from error
