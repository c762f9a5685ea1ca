"""One market-data session's FIX 4.4 session layer, without I/O (the venue's side).

Bytes go in with `receive`, time with `poll`; bytes to send collect for `take`. Market data is never
resent: a ResendRequest is answered with a gap fill, and the broker asks for a new snapshot. Each
logon starts both sequences at 1 (141=Y). Invariant: nothing but a Logout leaves before a
valid Logon, and nothing at all after `closed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from infra.exchange.clock import utc_timestamp

BEGIN = b"8=FIX.4.4\x019="
MAX_MESSAGE_BYTES = 65_536
LOGON_TIMEOUT_S = 10.0
MAX_HEARTBEAT_S = 60
MAX_SYMBOLS = 4_000
_MAX_HEAD = len(BEGIN) + 8
_TRAILER_BYTES = 7


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A MarketDataRequest that passed: `symbols` is empty for all of them (55=*)."""

    req_id: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """263=2: no more updates for this request."""

    req_id: str


Event = Subscribe | Unsubscribe
Pairs = list[tuple[int, str]]


class ProtocolError(Exception):
    """The peer broke the session's rules; its text goes into the Logout."""


def checksum(data: bytes) -> int:
    """Return CheckSum(10) of everything before it."""
    return int(np.frombuffer(data, np.uint8).sum(dtype=np.uint32)) & 0xFF


def split_messages(buffer: bytearray) -> list[bytes]:
    """Take all whole messages off the buffer. Garbled ones are dropped (FIX 4.4 volume 2, the
    sequence gap shows them); ProtocolError when a message says it is longer than 64 KiB.
    """
    messages: list[bytes] = []
    while True:
        start = buffer.find(BEGIN)
        if start < 0:
            del buffer[: max(0, len(buffer) - len(BEGIN) + 1)]
            return messages
        del buffer[:start]
        length_end = buffer.find(b"\x01", len(BEGIN))
        if length_end < 0:
            if len(buffer) > _MAX_HEAD:
                del buffer[0]
                continue
            return messages
        digits = bytes(buffer[len(BEGIN) : length_end])
        if not digits.isdigit() or len(digits) > 8:
            del buffer[0]
            continue
        if int(digits) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of {int(digits)} bytes is too long")
        body_end = length_end + 1 + int(digits)
        if len(buffer) < body_end + _TRAILER_BYTES:
            return messages
        message = bytes(buffer[: body_end + _TRAILER_BYTES])
        if message.endswith(b"10=%03d\x01" % checksum(message[:body_end])):
            messages.append(message)
            del buffer[: len(message)]
        else:
            del buffer[0]


class FeedSession:
    """The state of one connection. `now_s` arguments are monotonic seconds."""

    def __init__(
        self,
        venue: str,
        brokers: frozenset[str],
        wall: Callable[[], datetime],
        now_s: float,
    ) -> None:
        self.peer = ""
        self.closed = False
        self.logged_on = False
        self._venue = venue
        self._brokers = brokers
        self._wall = wall
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._next_out = 1
        self._next_in = 1
        self._heartbeat_s = LOGON_TIMEOUT_S
        self._heard_at = self._said_at = now_s
        self._test_pending = False

    # -- In

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes from the peer; return what the application must act on."""
        events: list[Event] = []
        self._heard_at, self._test_pending = now_s, False
        self._buffer += data
        try:
            for message in split_messages(self._buffer):
                if self.closed:
                    break
                self._handle(_pairs(message), events)
        except ProtocolError as error:
            self.logout(str(error))
        return events

    def poll(self, now_s: float) -> None:
        """Send a heartbeat, ask for one, or give up a silent peer. Call it about every second."""
        if self.closed:
            return
        silent_s = now_s - self._heard_at
        if not self.logged_on:
            self.closed = silent_s > LOGON_TIMEOUT_S
            return
        if silent_s > 2.4 * self._heartbeat_s:
            self.logout("no heartbeat")
            return
        if silent_s > 1.2 * self._heartbeat_s and not self._test_pending:
            self._test_pending = True
            self._send("1", f"112=alive-{self._next_out}\x01")
        if now_s - self._said_at >= self._heartbeat_s:
            self._said_at = now_s
            self._send("0", "")

    # -- Out

    def take(self) -> bytes:
        """Return the bytes to send."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def send_market_data(self, msg_type: str, body: bytes, at: str, now_s: float) -> None:
        """Send a W, X or announcement of the time `at` (52)."""
        if self.logged_on and not self.closed:
            self._said_at = now_s
            self._frame(msg_type, body, at)

    def reject_request(self, req_id: str, reason: str, text: str) -> None:
        """Send MarketDataRequestReject (35=Y)."""
        self._send("Y", f"262={req_id}\x01281={reason}\x0158={text}\x01")

    def logout(self, text: str) -> None:
        """Say goodbye and close; what is in `take` should still be written."""
        if not self.closed:
            self._send("5", f"58={text}\x01" if text else "")
            self.closed = True

    def _send(self, msg_type: str, body: str) -> None:
        self._frame(msg_type, body.encode("latin-1"), utc_timestamp(self._wall()))

    def _frame(self, msg_type: str, body: bytes, at: str, sequence: int | None = None) -> None:
        number = self._next_out if sequence is None else sequence
        head = (
            f"35={msg_type}\x0134={number}\x0149={self._venue}\x0152={at}\x0156={self.peer}\x01"
        ).encode("latin-1")
        start = b"%s%d\x01" % (BEGIN, len(head) + len(body))
        data = b"".join((start, head, body))
        self._out.append(data)
        self._out.append(b"10=%03d\x01" % checksum(data))
        if sequence is None:
            self._next_out += 1

    # -- Session rules

    def _handle(self, pairs: Pairs, events: list[Event]) -> None:
        message = dict(pairs)
        kind, sequence = message.get(35, ""), _number(message, 34)
        if not self.logged_on:
            self._logon(kind, sequence, message)
            return
        if (message.get(49), message.get(56)) != (self.peer, self._venue):
            raise ProtocolError("CompID problem")
        if kind == "4" and message.get(123) != "Y":
            self._next_in = _number(message, 36)
            return
        if sequence > self._next_in:
            self._send("2", f"7={self._next_in}\x0116=0\x01")
            return
        if sequence < self._next_in:
            if message.get(43) == "Y":
                return
            expected = f"expecting {self._next_in} but received {sequence}"
            raise ProtocolError(f"MsgSeqNum too low, {expected}")
        self._next_in += 1
        self._act(kind, message, pairs, events)

    def _logon(self, kind: str, sequence: int, message: dict[int, str]) -> None:
        sender = message.get(49, "")
        if kind != "A" or message.get(56) != self._venue or sender not in self._brokers:
            self.closed = True  # FIX 4.4 volume 2: without a valid logon, close without a word
            return
        self.peer = sender
        if message.get(141) != "Y" or sequence != 1:
            raise ProtocolError("a market data session starts at 1 with ResetSeqNumFlag(141)=Y")
        heartbeat = _number(message, 108)
        if not 1 <= heartbeat <= MAX_HEARTBEAT_S:
            raise ProtocolError(f"HeartBtInt(108) is not within 1 to {MAX_HEARTBEAT_S}")
        self._heartbeat_s = float(heartbeat)
        self._next_in = 2
        self.logged_on = True
        self._send("A", f"98=0\x01108={heartbeat}\x01141=Y\x01")

    def _act(self, kind: str, message: dict[int, str], pairs: Pairs, events: list[Event]) -> None:
        match kind:
            case "0" | "3":
                pass
            case "1":
                self._send("0", f"112={message.get(112, '')}\x01")
            case "2":
                first = _number(message, 7)
                at = utc_timestamp(self._wall())
                body = f"43=Y\x01122={at}\x01123=Y\x0136={self._next_out}\x01"
                self._frame("4", body.encode(), at, sequence=max(1, min(first, self._next_out)))
            case "4":
                self._next_in = max(self._next_in, _number(message, 36))
            case "5":
                self.logout("")
            case "V":
                self._request(message, pairs, events)
            case _:
                body = f"45={self._next_in - 1}\x01372={kind}\x01380=3\x0158=unsupported\x01"
                self._send("j", body)

    def _request(self, message: dict[int, str], pairs: Pairs, events: list[Event]) -> None:
        req_id, kind = message.get(262, ""), message.get(263, "")
        symbols = tuple(value for tag, value in pairs if tag == 55)
        if not req_id or not kind:
            body = f"45={self._next_in - 1}\x01371={263 if req_id else 262}\x01372=V\x01373=1\x01"
            self._send("3", body)
        elif kind == "2":
            events.append(Unsubscribe(req_id))
        elif kind != "1":
            self.reject_request(req_id, "4", "only 263=1 and 263=2 are supported")
        elif message.get(264) != "5":
            self.reject_request(req_id, "5", "only a MarketDepth(264) of 5 is supported")
        elif not symbols or len(symbols) > MAX_SYMBOLS:
            self.reject_request(req_id, "0", f"name 1 to {MAX_SYMBOLS} symbols, or *")
        else:
            events.append(Subscribe(req_id, () if symbols == ("*",) else symbols))


def _pairs(message: bytes) -> Pairs:
    pairs: Pairs = []
    for part in message.decode("latin-1").split("\x01")[:-1]:
        tag, separator, value = part.partition("=")
        if not separator or not (tag.isascii() and tag.isdigit()) or len(tag) > 9:
            raise ProtocolError("a field without a tag number")
        pairs.append((int(tag), value))
    return pairs


def _number(message: dict[int, str], tag: int) -> int:
    text = message.get(tag, "")
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise ProtocolError(f"tag {tag} is missing or no number")
    return int(text)
