"""Stand-ins around the fanout's core: a link that keeps frames, doors that keep questions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from edge.fanout.client import Client
from edge.fanout.encodings import JSON, Encoding
from edge.fanout.hub import Hub, Listed
from edge.fanout.limits import Limits
from edge.fanout.portfolio import Portfolios
from edge.fanout.private import PrivateEvents
from edge.fanout.reception import Reception
from functions.shared.access.principal import SCOPES, Principal
from functions.shared.wire.events import EventBody, FundsFacts, OrderFacts, UserEvent, encode_event
from functions.shared.wire.quotes import Quote

WALL = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
LISTED = {f"S{n}": Listed("NSE", n) for n in range(4_000)} | {"M&M": Listed("NSE", 2_031)}
ORDER = OrderFacts(
    order_id=1, client_order_id="c", venue_order_id=None, symbol="S1", side="BUY", type="LIMIT",
    quantity=1, price=1, product="CNC", validity="DAY", status="OPEN", filled_quantity=0,
    traded_value=0, pending_change=None, reason_code=None, reason=None, rules=None, created_at=1,
    updated_at=1, version=1,
)  # fmt: skip


def quote(symbol: str, seq: int = 1, ltp: int = 1_015_000) -> Quote:
    levels = (1_010_000, 5, 2, *[0] * 12, 1_020_000, 7, 3, *[0] * 12)
    return Quote(
        symbol, 1, seq, 1_700, ltp, 3, 990_000, 1_030_000, 980_000, 1_000_000, 9, 1, levels
    )


def event(user_seq: int, user_id: int = 7) -> UserEvent:
    funds = FundsFacts(cash=100, held=0, borrowed=0, unsettled=0, blocked=0, seq=user_seq)
    body = EventBody(funds=funds)
    return UserEvent(user_id=user_id, user_seq=user_seq, kind="DEPOSIT", at=1, body=body)


def payload(user_seq: int, user_id: int = 7) -> bytes:
    return encode_event(event(user_seq, user_id))


def principal(user_id: int = 7, session_id: str = "s1", seconds: float = 900) -> Principal:
    ends = WALL + timedelta(seconds=seconds)
    return Principal(user_id, session_id, ("TRADER",), "PAPER", "IN", ends, SCOPES)


def read_messages(data: bytes) -> list[tuple[Opcode, bytes]]:
    """The whole messages in bytes that were written, by websockets' own parser."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    messages = []
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=False, max_size=1 << 24)
        try:
            next(parsing)
        except StopIteration as done:
            frame: Frame = done.value
            assert frame.fin
            messages.append((frame.opcode, bytes(frame.data)))
    return messages


def read_frames(data: bytes) -> list[Any]:
    """The objects in whole text frames, arrays flattened."""
    objects: list[Any] = []
    for opcode, payload in read_messages(data):
        assert opcode is Opcode.TEXT
        message = msgspec.json.decode(payload)
        objects += message if isinstance(message, list) else [message]
    return objects


class FakeLink:
    """Keeps what is written and how it was closed."""

    def __init__(self, reception: Reception | None = None) -> None:
        self.reception = reception
        self.client: Client | None = None
        self.data = b""
        self.closed: tuple[int, str] | None = None

    def write(self, data: bytes) -> None:
        self.data += data

    def peer(self) -> str:
        return "203.0.113.7"

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        if self.reception is not None and self.client is not None:
            self.reception.gone(self.client)

    def said(self) -> list[Any]:
        """The objects written since this was last asked."""
        data, self.data = self.data, b""
        return read_frames(data)


@dataclass
class FakeDoors:
    """Keeps every question, for the test to answer."""

    tokens: list[tuple[Client, str]] = field(default_factory=list)
    questions: list[tuple[Client, int, int | None]] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    books: list[tuple[int, int, date]] = field(default_factory=list)

    def verify(self, client: Client, token: str) -> None:
        self.tokens.append((client, token))

    def events(self, client: Client, ticket: int, after: int | None) -> None:
        self.questions.append((client, ticket, after))

    def portfolio(self, user_id: int, ticket: int, trade_date: date) -> None:
        self.books.append((user_id, ticket, trade_date))

    def listen(self, channels: Iterable[str]) -> None:
        self.channels.update(channels)

    def unlisten(self, channels: Iterable[str]) -> None:
        self.channels.difference_update(channels)


class Floor:
    """A whole core with fake surroundings, and a clock the test moves."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.wall = WALL
        self.limits = limits or Limits()
        self.doors = FakeDoors()
        self.day = WALL.date()
        self.ticks = 0
        self.hub = Hub(LISTED, self.limits.symbols, self.limits.min_moves)
        self.portfolios = Portfolios(self.hub, self.doors, lambda: self.day, self.limits)
        self.private = PrivateEvents(self.doors, self.portfolios)
        self.reception = Reception(
            self.hub, self.private, self.doors, self.limits, lambda: self.wall
        )

    def connect(
        self, token: str | None = "t", encoding: Encoding = JSON
    ) -> tuple[Client, FakeLink]:
        link = FakeLink(self.reception)
        client = link.client = Client(link, 0.0, self.limits.pending)
        client.speak(encoding)
        self.hub.enter(client)
        self.reception.connected(client, token, 0.0)
        return client, link

    def sign_in(
        self, user_id: int = 7, session_id: str = "s1", encoding: Encoding = JSON
    ) -> tuple[Client, FakeLink]:
        """A client that is signed in, whose account stands at event 10."""
        client, link = self.connect(encoding=encoding)
        self.reception.verified(client, principal(user_id, session_id))
        self.answer(None, 10)
        link.said()
        return client, link

    def answer(self, events: list[UserEvent] | None, latest: int) -> None:
        """Answers the oldest open question to the ledger."""
        client, ticket, _ = self.doors.questions.pop(0)
        self.private.fetched(client, ticket, events, latest)

    def say(self, client: Client, text: str, now: float = 1.0) -> None:
        if self.reception.frame(client, now):
            self.reception.message(client, text.encode())

    def sweep(self, now: float) -> None:
        for group in range(10):
            self.reception.sweep(group, now)

    def tick(self) -> None:
        for group in range(10):
            self.hub.tick(group)

    def second(self, now: float = 0.0) -> None:
        """A second's ticks, as the server makes them."""
        for _ in range(100):
            self.reception.tick(self.ticks, now)
            self.hub.tick(self.ticks % 10)
            self.ticks += 1
