"""The few WebSocket frames that a load client writes or has to know (RFC 6455 section 5.2).

Frames are masked with zeros, which a client may choose as its key: nothing between here and
there needs to be protected from what they say.
"""

import struct

PING = b"\x89\x80\x00\x00\x00\x00"
CLOSE = b"\x88\x80\x00\x00\x00\x00"
_SHORT_MAX = 125
CLOSE_MARK = 0x88
_CODE_BYTES = 2
#: A server's whole close frame: two bytes of head, and at most 125 of code and reason.
CLOSE_FRAME_MOST = 2 + _SHORT_MAX


def masked_text(text: str) -> bytes:
    """A client's text frame. Raises struct.error for one of 64 KiB or more."""
    data = text.encode()
    if len(data) <= _SHORT_MAX:
        return struct.pack(">BB4x", 0x81, 0x80 | len(data)) + data
    return struct.pack(">BBH4x", 0x81, 0x80 | 126, len(data)) + data


def close_code(tail: bytes) -> int | None:
    """The code of the close frame that a connection's last bytes end with, None without one."""
    start = tail.find(CLOSE_MARK)
    while start >= 0:
        head = tail[start + 1 : start + 2]
        size = head[0] if head else -1
        if size >= _CODE_BYTES and start + 2 + size == len(tail):
            return int.from_bytes(tail[start + 2 : start + 4], "big")
        start = tail.find(CLOSE_MARK, start + 1)
    return None
