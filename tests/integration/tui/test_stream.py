"""The stream client against a real WebSocket server in the same process."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from outcry_client.errors import SignedOutError
from outcry_client.limits import Limits
from outcry_client.protocol import Notice
from outcry_client.session import Session
from tests.support.eventually import WAIT_SECONDS, until
from tui.client import stream
from tui.client.broker import Link, UnreachableError
from tui.client.models import PrivateEvent, Quote, Tokens
from tui.client.stream import StreamFeed

Script = Callable[[ServerConnection], Awaitable[None]]


class Heard:
    """Notes what the stream brings."""

    def __init__(self) -> None:
        self.prices: dict[str, Decimal] = {}
        self.seqs: list[int] = []
        self.links: list[Link] = []
        self.loads = 0
        self.refusals = 0
        self.load_fails: Exception | None = None

    def quotes(self, quotes: Sequence[Quote]) -> None:
        self.prices.update((quote.symbol, quote.ltp) for quote in quotes)

    def account(self, events: Sequence[PrivateEvent]) -> None:
        self.seqs += [event.user_seq for event in events]

    def link(self, link: Link, detail: str) -> None:
        if not self.links or self.links[-1] is not link:
            self.links.append(link)

    def notice(self, notice: Notice) -> None: ...

    async def reload(self) -> int:
        self.loads += 1
        if self.load_fails is not None:
            raise self.load_fails
        return 100


class Server:
    """Runs one script a connection, in turn, and keeps what each connection said."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.tokens: list[str | None] = []

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.tokens.append(socket.request.headers.get("Authorization"))
        script = self._scripts.pop(0) if self._scripts else _silent
        with contextlib.suppress(ConnectionError):
            await script(socket)


async def _silent(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def _said(socket: ServerConnection, action: str) -> dict[str, Any]:
    """The next message of the client with that action."""
    async for text in socket:
        message: dict[str, Any] = json.loads(text)
        if message["action"] == action:
            return message
    raise ConnectionError


def _funds(seq: int) -> dict[str, object]:
    return {
        "type": "funds", "user_seq": seq, "cash": "1.00", "held": "0.00", "available": "1.00"
    }  # fmt: skip


PATIENT = Limits(
    keep_seconds=0.02, pause_seconds=0.01, open_seconds=WAIT_SECONDS, stale_seconds=WAIT_SECONDS,
    silence_seconds=2 * WAIT_SECONDS, resume_seconds=WAIT_SECONDS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _paces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the terminal does again and again it does often, and no server is too slow for it."""
    monkeypatch.setattr(stream, "LIMITS", PATIENT)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed at once."""
    noticing = replace(PATIENT, stale_seconds=0.15, silence_seconds=0.3, resume_seconds=0.05)
    monkeypatch.setattr(stream, "LIMITS", noticing)


@contextlib.asynccontextmanager
async def _following(
    server: Server, seq: int = 0, refresh_error: Exception | None = None, life_s: int = 900
) -> AsyncIterator[tuple[Heard, StreamFeed, asyncio.Task[None]]]:
    renewals, heard = 1, Heard()

    async def refresh(_: str) -> Tokens:
        nonlocal renewals
        if refresh_error is not None:
            heard.refusals += 1
            raise refresh_error
        renewals += 1
        return Tokens(access_token=f"t{renewals}", expires_in=900, refresh_token="r")

    session = Session(refresh)
    session.begin(Tokens(access_token="t1", expires_in=life_s, refresh_token="r"))
    protocols = [Subprotocol("outcry.v1.json")]
    async with serve(server, "127.0.0.1", 0, subprotocols=protocols) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]

        async def url() -> str:
            return f"ws://127.0.0.1:{port}/v1/stream"

        feed = StreamFeed(url, session, rng=random.Random(7))
        following = asyncio.create_task(feed.follow(heard, seq))
        try:
            yield heard, feed, following
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_prices_arrive_for_what_is_watched_and_stop_for_what_is_not() -> None:
    unsubscribed: list[str] = []

    async def script(socket: ServerConnection) -> None:
        assert (await _said(socket, "subscribe"))["symbols"] == ["M&M", "TCS"]
        await socket.send('[{"type":"snapshot","symbol":"M&M","ltp":"2811.20"}]')
        await socket.send('{"type":"quote","symbol":"M&M","ltp":"2811.25"}')
        unsubscribed.extend((await _said(socket, "unsubscribe"))["symbols"])
        await socket.wait_closed()

    async with _following(Server(script)) as (heard, feed, _):
        feed.watch(["TCS", "M&M"])
        await until(lambda: heard.prices == {"M&M": Decimal("2811.25")})
        assert heard.links[:2] == [Link.CONNECTING, Link.LIVE]
        feed.watch(["TCS"])
        await until(lambda: unsubscribed == ["M&M"])


async def test_after_a_cut_the_terminal_resumes_where_it_was_and_watches_again() -> None:
    resumed: list[int] = []

    async def first(socket: ServerConnection) -> None:
        resumed.append((await _said(socket, "resume"))["seq"])
        await socket.send(json.dumps([_funds(8), _funds(9)]))
        await socket.close(1012, "draining")

    async def second(socket: ServerConnection) -> None:
        resumed.append((await _said(socket, "resume"))["seq"])
        await _said(socket, "subscribe")
        await socket.send(json.dumps([_funds(9), _funds(10)]))
        await socket.wait_closed()

    async with _following(Server(first, second), seq=7) as (heard, feed, _):
        feed.watch(["TCS"])
        await until(lambda: heard.seqs == [8, 9, 10])

    assert resumed == [7, 9]
    assert Link.RECONNECTING in heard.links


async def test_a_gap_is_asked_for_and_nothing_is_delivered_out_of_order() -> None:
    async def script(socket: ServerConnection) -> None:
        await _said(socket, "resume")
        await socket.send(json.dumps(_funds(1)))
        await socket.send(json.dumps(_funds(3)))
        assert (await _said(socket, "resume"))["seq"] == 1
        await socket.send(json.dumps(_funds(2)))
        await socket.wait_closed()

    async with _following(Server(script)) as (heard, _, _task):
        await until(lambda: heard.seqs == [1, 2, 3])


@pytest.mark.usefixtures("impatient")
async def test_a_gap_that_resumes_do_not_fill_loads_the_account_afresh() -> None:
    async def script(socket: ServerConnection) -> None:
        while True:
            await socket.send(json.dumps(_funds(3)))
            await asyncio.sleep(0.02)

    async with _following(Server(script)) as (heard, _, _task):
        await until(lambda: heard.loads >= 1)
        assert heard.seqs == []


async def test_a_resume_beyond_what_is_kept_loads_the_account_afresh() -> None:
    async def script(socket: ServerConnection) -> None:
        await _said(socket, "resume")
        await socket.send('{"type":"snapshot"}')
        assert (await _said(socket, "resume"))["seq"] == 100
        await socket.send(json.dumps(_funds(101)))
        await socket.wait_closed()

    async with _following(Server(script)) as (heard, _, _task):
        await until(lambda: heard.seqs == [101])
        assert heard.loads == 1


async def test_a_reload_that_is_asked_for_follows_on_from_what_it_loaded() -> None:
    async def script(socket: ServerConnection) -> None:
        await _said(socket, "resume")
        await socket.send(json.dumps(_funds(1)))
        assert (await _said(socket, "resume"))["seq"] == 100
        await socket.send(json.dumps(_funds(101)))
        await socket.wait_closed()

    async with _following(Server(script)) as (heard, feed, _):
        await until(lambda: heard.seqs == [1])
        feed.reload()
        await until(lambda: heard.seqs == [1, 101])
        assert heard.loads == 1


@pytest.mark.usefixtures("impatient")
async def test_a_reload_that_fails_is_made_on_the_next_connection() -> None:
    async with _following(Server()) as (heard, feed, _):
        heard.load_fails = UnreachableError("no answer")
        feed.reload()
        await until(lambda: heard.loads >= 1)  # each connection tries once
        heard.load_fails, failed = None, heard.loads
        await until(lambda: heard.loads > failed)


@pytest.mark.usefixtures("impatient")
async def test_a_silent_server_is_stale_and_then_left() -> None:
    async def hung(socket: ServerConnection) -> None:
        await socket.send('{"type":"heartbeat"}')
        await socket.wait_closed()

    async def alive(socket: ServerConnection) -> None:
        while True:
            await socket.send('{"type":"heartbeat"}')
            await asyncio.sleep(0.02)

    async with _following(Server(hung, alive)) as (heard, _, _task):
        live_again = [
            Link.CONNECTING, Link.LIVE, Link.STALE, Link.RECONNECTING, Link.LIVE
        ]  # fmt: skip
        await until(lambda: heard.links[: len(live_again)] == live_again)


async def test_an_expired_token_is_refreshed_before_the_next_connection() -> None:
    async def expired(socket: ServerConnection) -> None:
        await socket.close(4004, "expired")

    server = Server(expired)
    async with _following(server):
        await until(lambda: server.tokens == ["Bearer t1", "Bearer t2"])


async def test_a_revoked_session_is_signed_out() -> None:
    async def expired(socket: ServerConnection) -> None:
        await socket.close(4004, "revoked")

    async with _following(Server(expired), refresh_error=SignedOutError("revoked")) as (
        _,
        _feed,
        following,
    ):
        with pytest.raises(SignedOutError):
            await asyncio.wait_for(following, WAIT_SECONDS)


async def test_a_failed_sign_in_stops() -> None:
    async def refused(socket: ServerConnection) -> None:
        await socket.close(4001, "sign in again")

    async with _following(Server(refused)) as (_, _feed, following):
        with pytest.raises(SignedOutError):
            await asyncio.wait_for(following, WAIT_SECONDS)


async def test_a_terminal_that_was_replaced_does_not_fight_back() -> None:
    async def replaced(socket: ServerConnection) -> None:
        await socket.close(4003, "replaced")

    server = Server(replaced)
    async with _following(server) as (heard, _, following):
        await asyncio.wait_for(following, WAIT_SECONDS)
        assert heard.links[-1] is Link.REPLACED
        assert len(server.tokens) == 1


async def test_nonsense_from_the_server_ends_the_connection_and_not_the_terminal() -> None:
    async def nonsense(socket: ServerConnection) -> None:
        await socket.send('{"type":"funds"}')
        await socket.wait_closed()

    async def sound(socket: ServerConnection) -> None:
        await socket.send(json.dumps(_funds(1)))
        await socket.wait_closed()

    async with _following(Server(nonsense, sound)) as (heard, _, _task):
        await until(lambda: heard.seqs == [1])


async def test_a_renewed_token_extends_the_live_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens: list[str] = []
    connected = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await _said(socket, "resume")
        connected.set()
        tokens.append((await _said(socket, "auth"))["token"])
        await socket.wait_closed()

    async with _following(Server(script)) as (_, feed, _task):
        await until(connected.is_set)
        await feed._tokens.renew("t1")
        await until(lambda: tokens == ["t2"])


async def test_a_refresh_that_fails_does_not_cost_the_live_connection() -> None:
    told = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await told.wait()
        await socket.send(json.dumps(_funds(1)))
        await socket.wait_closed()

    server = Server(script)
    async with _following(server, refresh_error=UnreachableError("away"), life_s=1) as (heard, *_):
        await until(lambda: heard.refusals >= 3)
        told.set()
        await until(lambda: heard.seqs == [1])
        assert len(server.tokens) == 1
