"""How clients speak to the servers that loads are put on, and how their prices are found.

A delivery is counted by its needle, which each price holds once; only connections that look read
more than that. Both are searches in the bytes as they came, for to parse each frame would cost the
generator more than sending them costs the node.
"""

import base64
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from infra.load.frames import masked_text

#: So that a message stays below 16 KiB.
SYMBOLS_PER_MESSAGE = 500


class Dialect(NamedTuple):
    """`ready` is what the server's answer to the hello holds; None where it gives none. `asks` is
    in what it says to hear whether a client is there, and in nothing else that it says to one that
    is in; `answer` is the client's."""

    subprotocol: str | None
    needle: bytes
    price: re.Pattern[bytes]
    ready: bytes | None
    asks: bytes | None = None
    answer: bytes = b""

    def request(self, path: str) -> bytes:
        """The opening handshake (RFC 6455 section 4.1). The key is no secret, so it may be zero."""
        key = base64.b64encode(bytes(16)).decode()
        protocol = f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n" if self.subprotocol else ""
        return (
            f"GET {path} HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
        ).encode()


#: edge/fanout/protocol.md, mode ltp: no field between a price and its number has an s in it.
OUTCRY = Dialect(
    subprotocol="outcry.v1.json",
    needle=b'"type":"quote"',
    price=re.compile(
        rb'"type":"quote","symbol":"([^"]*)","ltp":[^s]*"seq":(\d+),"timestamp":(\d+)\}'
    ),
    ready=b'"type":"subscribed"',
)


def outcry_hello(token: str, symbols: Sequence[str]) -> bytes:
    """Signs in and subscribes, in one write and messages within the stream's bound."""
    said: list[dict[str, object]] = [{"action": "auth", "token": token}]
    for start in range(0, len(symbols), SYMBOLS_PER_MESSAGE):
        part = list(symbols[start : start + SYMBOLS_PER_MESSAGE])
        said.append({"action": "subscribe", "symbols": part, "mode": "ltp"})
    return b"".join(masked_text(json.dumps(each)) for each in said)
