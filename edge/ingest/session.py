"""One FIX market-data session, without I/O: logon, liveness, gaps, logout.

Invariant: every message from the venue is counted by MsgSeqNum(34). A gap is answered by asking
for full snapshots again (35=V): quotes are last values, so what was missed is worth nothing and a
ResendRequest would only delay the newest. Numbers start at 1 on each logon (141=Y).

The owner moves bytes: `opened`, then `receive` for what came and `tick` a few times a second, and
`output` after each of them. A PeerProtocolError from any of these ends the connection.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from edge.ingest.fix import Framer, encode_message, format_sending_time, parse_sending_time
from edge.ingest.limits import DEFAULTS, Limits
from functions.shared.domain.errors import PeerProtocolError

VENUE = "XNSE"
#: MDEntryType(269): bid, offer, trade, open, previous close, high, low, volume.
ENTRY_TYPES = ("0", "1", "2", "4", "5", "7", "8", "B")
_DEPTH = "5"
_HEAD_BYTES = 256
_NUMBER_DIGITS_MAX = 18
_SEQ = re.compile(rb"\x0134=([0-9]{1,18})\x01")
_SENT = re.compile(rb"\x0152=([^\x01]+)\x01")
_NAMED = re.compile(rb"\x011180=([^\x01]{1,60})\x011181=([0-9]{1,18})\x01")


class Kind(Enum):
    """What the owner has to act on."""

    SNAPSHOT = "W"
    INCREMENTAL = "X"
    PHASE = "h"
    SECURITY = "f"
    LISTING = "d"
    REFUSAL = "refusal"


_ANNOUNCED = {b"h": Kind.PHASE, b"f": Kind.SECURITY, b"d": Kind.LISTING}


class Message(NamedTuple):
    """Market data, an announcement, or a refusal whose `body` is its text. `sent_ms`: the
    exchange's time. `publication` and `number` are ApplID(1180) and ApplSeqNum(1181) of market
    data."""

    kind: Kind
    body: bytes
    sent_ms: int
    publication: bytes = b""
    number: int = 0

    @property
    def is_snapshot(self) -> bool:
        return self.kind is Kind.SNAPSHOT


class FeedSession:
    """The state of one session. Times given are monotonic seconds; `wall` is for SendingTime."""

    def __init__(
        self,
        sender: str,
        symbols: Sequence[str],
        wall: Callable[[], datetime],
        limits: Limits = DEFAULTS,
    ) -> None:
        self._sender, self._symbols, self._wall = sender, tuple(symbols), wall
        self._limits = limits
        self._framer = Framer(limits.message_bytes)
        self._output: list[bytes] = []
        self._next_out = self._next_in = 1
        self._requests = 0
        self._opened_at = self._sent_at = self._heard_at = 0.0
        self._asked_at: float | None = None
        self._second, self._second_ms = b"", 0
        self.logged_on = False
        self.ended = False
        self.gaps = 0
        #: The venue's time of the newest message, a heartbeat included.
        self.seen_ms = 0
        self._priced = False

    @property
    def garbled(self) -> int:
        """Messages skipped because their checksum was wrong."""
        return self._framer.garbled

    @property
    def heard_at(self) -> float:
        """When anything was last heard; minus infinity before the first price since the logon."""
        return self._heard_at if self._priced else float("-inf")

    def opened(self, now: float) -> None:
        """The connection stands: logs on."""
        self._opened_at = self._heard_at = now
        self._send(now, "A", (98, "0"), (108, str(self._limits.heartbeat_seconds)), (141, "Y"))

    def output(self) -> bytes:
        """What is to be written now."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def close(self, now: float) -> None:
        """Says goodbye."""
        if self.logged_on and not self.ended:
            self._send(now, "5")
        self.ended = True

    def receive(self, data: bytes, now: float) -> Iterator[Message]:
        """The market data in what came. Raises PeerProtocolError when the peer breaks the rules."""
        self._heard_at, self._asked_at = now, None
        for body in self._framer.feed(data):
            if self.ended:
                return
            kind = body[3 : body.index(b"\x01")]
            if not body.startswith(b"35="):
                raise PeerProtocolError("MsgType(35) is not the third field")
            if not self._in_sequence(kind, body, now):
                continue
            if kind == b"X":
                yield self._market_data(Kind.INCREMENTAL, body)
            elif kind == b"W":
                self._priced = True
                yield self._market_data(Kind.SNAPSHOT, body)
            else:
                yield from self._administer(kind, body, now)

    def tick(self, now: float) -> None:
        """Keeps the session alive. Raises PeerProtocolError when the venue has gone silent."""
        if self.ended:
            return
        if not self.logged_on:
            if now - self._opened_at > self._limits.logon_seconds:
                raise PeerProtocolError("no logon from the venue")
            return
        silence = now - self._heard_at
        if silence > self._limits.silence_seconds:
            raise PeerProtocolError(f"nothing heard from the venue for {silence:.1f} s")
        if silence > self._limits.ask_seconds and self._asked_at is None:
            self._asked_at = now
            self._send(now, "1", (112, "alive"))
        elif now - self._sent_at >= self._limits.heartbeat_seconds:
            self._send(now, "0")

    def _in_sequence(self, kind: bytes, body: bytes, now: float) -> bool:
        """Counts a message; False for one that was seen before."""
        if not self.logged_on and kind not in {b"A", b"5"}:
            raise PeerProtocolError(f"MsgType(35) {kind!r} before the logon")
        match = _SEQ.search(body, 0, _HEAD_BYTES)
        if match is None:
            raise PeerProtocolError("no MsgSeqNum(34)")
        number = int(match[1])
        if kind == b"4":  # SequenceReset carries the next number itself
            self._next_in = self._number(body, 36)
            return False
        if number < self._next_in:
            if b"\x0143=Y\x01" in body[:_HEAD_BYTES]:
                return False
            raise PeerProtocolError(f"MsgSeqNum(34) is {number}, expected {self._next_in}")
        if number > self._next_in and self.logged_on:
            self.gaps += 1
            self._request(now)
        self._next_in = number + 1
        return True

    def _administer(self, kind: bytes, body: bytes, now: float) -> Iterator[Message]:
        if kind == b"A":
            if not self.logged_on:
                self.logged_on = True
                self._request(now)
        elif kind == b"0":
            self._sent_ms(body)
        elif kind == b"1":
            self._send(now, "0", (112, self._field(body, 112)))
        elif kind == b"2":  # what we said is no longer of use: a gap fill over all of it
            first, self._next_out = self._next_out, self._number(body, 7)
            self._send(now, "4", (43, "Y"), (123, "Y"), (36, str(first)))
            self._next_out = first
        elif kind == b"5":
            self.close(now)
        elif (announced := _ANNOUNCED.get(kind)) is not None:
            yield Message(announced, body, self._sent_ms(body))
        elif kind in {b"3", b"j", b"Y"}:
            text = self._field(body, 58) if b"\x0158=" in body else kind.decode("latin-1")
            yield Message(Kind.REFUSAL, text.encode(), 0)

    def ask_anew(self, now: float) -> None:
        """Asks for snapshots of all symbols again."""
        if self.logged_on and not self.ended:
            self._request(now)

    def _market_data(self, kind: Kind, body: bytes) -> Message:
        named = _NAMED.search(body, 0, _HEAD_BYTES)
        if named is None:
            return Message(kind, body, self._sent_ms(body))
        return Message(kind, body, self._sent_ms(body), named[1], int(named[2]))

    def _request(self, now: float) -> None:
        """Asks for a snapshot of every symbol and its updates from then on (35=V).

        The request before it is ended, or each update would come once for each of them.
        """
        if self._requests:
            self._send(now, "V", (262, f"{self._sender}-{self._requests}"), (263, "2"))
        self._requests += 1
        self._send(
            now,
            "V",
            (262, f"{self._sender}-{self._requests}"),
            (263, "1"),
            (264, _DEPTH),
            (267, str(len(ENTRY_TYPES))),
            *((269, kind) for kind in ENTRY_TYPES),
            (146, str(len(self._symbols))),
            *((55, symbol) for symbol in self._symbols),
        )

    def _send(self, now: float, kind: str, *fields: tuple[int, str]) -> None:
        header = [(35, kind), (34, str(self._next_out)), (49, self._sender)]
        header += [(52, format_sending_time(self._wall())), (56, VENUE)]
        self._output.append(encode_message([*header, *fields]))
        self._next_out += 1
        self._sent_at = now

    def _sent_ms(self, body: bytes) -> int:
        match = _SENT.search(body, 0, _HEAD_BYTES)
        if match is None:
            raise PeerProtocolError("no SendingTime(52)")
        text = match[1]
        second, rest = text[:17], text[18:21]
        if second != self._second or not rest.isdigit() or len(rest) != 3:
            whole = parse_sending_time(text)
            self._second, self._second_ms = second, whole - whole % 1000
            self.seen_ms = whole
            return whole
        self.seen_ms = self._second_ms + int(rest)
        return self.seen_ms

    def _number(self, body: bytes, tag: int) -> int:
        text = self._field(body, tag)
        if not text.isascii() or not text.isdigit() or len(text) > _NUMBER_DIGITS_MAX:
            raise PeerProtocolError(f"tag {tag} is {text[:30]!r}")
        return int(text)

    def _field(self, body: bytes, tag: int) -> str:
        """A field's text. Raises PeerProtocolError when it is not there."""
        match = re.search(rb"\x01%d=([^\x01]+)\x01" % tag, body)
        if match is None:
            raise PeerProtocolError(f"no tag {tag} in MsgType(35) {body[3:5]!r}")
        return match[1].decode("latin-1")
