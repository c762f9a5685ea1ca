"""FIX 4.4 on the wire, without I/O: bytes in, whole checked messages out, and the way back.

Invariant: only a message whose BodyLength(9) and CheckSum(10) agree leaves the framer. A garbled
one is counted and skipped (FIX 4.4 volume 2, "Garbled Messages"): the hole it leaves in MsgSeqNum
is then noticed by the session. No byte beyond `message_bytes` of one message is ever kept.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from edge.ingest.limits import DEFAULTS
from functions.shared.domain.errors import PeerProtocolError

SOH: Final = b"\x01"
BEGIN: Final = b"8=FIX.4.4\x019="
_TRAILER_BYTES: Final = len("10=000\x01")
_LENGTH_DIGITS_MAX: Final = 7
# Adler-32's lower half is 1 + the sum of the bytes while that sum stays below 65,521; so pieces of
# 256 bytes give the exact sum at the speed of C.
_SUM_PIECE: Final = 256
_ADLER_LOW: Final = 0xFFFF

_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")


def checksum(data: bytes | memoryview) -> int:
    """CheckSum(10): the sum of all bytes up to it, modulo 256."""
    adler, total, pieces = zlib.adler32, 0, 0
    for start in range(0, len(data), _SUM_PIECE):
        total += adler(data[start : start + _SUM_PIECE]) & _ADLER_LOW
        pieces += 1
    return (total - pieces) % 256


def encode_message(fields: Sequence[tuple[int, str]]) -> bytes:
    """A whole message from its fields after BodyLength(9), MsgType(35) first."""
    body = b"".join(b"%d=%s\x01" % (tag, value.encode()) for tag, value in fields)
    head = b"%s%d\x01" % (BEGIN, len(body))
    return b"%s%s10=%03d\x01" % (head, body, checksum(head + body))


def format_sending_time(moment: datetime) -> str:
    """UTCTimestamp in milliseconds, as SendingTime(52) wants it."""
    return moment.astimezone(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


def parse_sending_time(text: bytes) -> int:
    """SendingTime(52) in milliseconds since 1970. Raises PeerProtocolError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise PeerProtocolError(f"SendingTime(52) is {text[:30]!r}")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise PeerProtocolError(f"SendingTime(52) is {text[:30]!r}") from error
    return int(moment.timestamp()) * 1000 + int((match[7] or b"0")[:3].ljust(3, b"0"))


class Framer:
    """Cuts a byte stream into messages. `garbled` counts what had to be skipped."""

    def __init__(self, message_bytes: int = DEFAULTS.message_bytes) -> None:
        self._bytes_most = message_bytes
        self._rest = b""
        self.garbled = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies (from `35=` up to before `10=`) of the messages that are whole now.

        Raises PeerProtocolError when what arrives can't be FIX 4.4 at all.
        """
        buffer = self._rest + data if self._rest else data
        at = 0
        while True:
            end = self._measure(buffer, at)
            if end is None or end > len(buffer):
                break
            trailer = end - _TRAILER_BYTES
            body = buffer.index(SOH, at + len(BEGIN)) + 1
            if buffer[trailer:end] == b"10=%03d\x01" % checksum(memoryview(buffer)[at:trailer]):
                yield buffer[body:trailer]
                at = end
            else:
                self.garbled += 1
                following = buffer.find(BEGIN, at + 1)
                at = following if following >= 0 else end
        self._rest = buffer[at:]

    def _measure(self, buffer: bytes, at: int) -> int | None:
        """Where the message that starts at `at` ends, or None while its length isn't here yet."""
        head = buffer[at : at + len(BEGIN)]
        if head != BEGIN[: len(head)]:
            raise PeerProtocolError(f"not FIX 4.4: {head!r}")
        stop = buffer.find(SOH, at + len(BEGIN), at + len(BEGIN) + _LENGTH_DIGITS_MAX + 1)
        if stop < 0:
            if len(buffer) - at > len(BEGIN) + _LENGTH_DIGITS_MAX:
                raise PeerProtocolError("BodyLength(9) has no end")
            return None
        digits = buffer[at + len(BEGIN) : stop]
        if not digits.isdigit() or int(digits) > self._bytes_most:
            raise PeerProtocolError(f"BodyLength(9) is {digits!r}")
        return stop + 1 + int(digits) + _TRAILER_BYTES
