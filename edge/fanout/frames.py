"""Text and binary frames of the WebSocket protocol (RFC 6455 section 5.2) from ready pieces.

Invariant: a frame is whole (FIN set), unmasked and uncompressed, and depends on nothing of the
connection, so that the same bytes may go to any number of clients. A message holds at most
OBJECTS_PER_MESSAGE objects.
"""

import struct
from collections.abc import Iterator, Sequence

import msgspec

OBJECTS_PER_MESSAGE = 256

_TEXT = 0x81
_BINARY = 0x82
_SHORT_MAX = 125
_MEDIUM_MAX = 0xFFFF
_medium = struct.Struct(">BBH").pack
_array_head = struct.Struct(">BBHc").pack
_long = struct.Struct(">BBQ").pack
_MEDIUM_MARK, _LONG_MARK = 126, 127
_count = struct.Struct(">H").pack

_encoder = msgspec.json.Encoder()


def encode_object(content: object) -> bytes:
    """The JSON text of an object of plain values."""
    return _encoder.encode(content)


def text_frame(payload: bytes) -> bytes:
    """One text message."""
    return header(len(payload)) + payload


def header(size: int, kind: int = _TEXT) -> bytes:
    """The header of a frame whose payload has `size` bytes."""
    if size <= _SHORT_MAX:
        return bytes((kind, size))
    if size <= _MEDIUM_MAX:
        return _medium(kind, _MEDIUM_MARK, size)
    return _long(kind, _LONG_MARK, size)


def array_frame(pieces: Sequence[bytes]) -> bytes:
    """Objects in as few messages as the bound allows, as bytes for one write."""
    if len(pieces) > OBJECTS_PER_MESSAGE:
        return b"".join(map(array_frame, _parts(pieces)))
    body = b",".join(pieces)
    size = len(body) + 2
    if _SHORT_MAX < size <= _MEDIUM_MAX:  # as nearly all are
        return b"".join((_array_head(_TEXT, _MEDIUM_MARK, size, b"["), body, b"]"))
    return b"".join((header(size), b"[", body, b"]"))


def packets_frame(pieces: Sequence[bytes]) -> bytes:
    """Packets, each behind its length, in as few binary messages as the bound allows."""
    if len(pieces) > OBJECTS_PER_MESSAGE:
        return b"".join(_packets(part) for part in _parts(pieces))
    return _packets(pieces)


def _packets(pieces: Sequence[bytes]) -> bytes:
    body = b"".join((_count(len(pieces)), *pieces))
    return header(len(body), _BINARY) + body


def _parts(pieces: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(pieces), OBJECTS_PER_MESSAGE):
        yield pieces[start : start + OBJECTS_PER_MESSAGE]
