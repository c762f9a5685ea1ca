"""The two ways a client may take its quotes: `outcry.v1.json` and `outcry.v1.binary`.

Invariant: an encoding concerns quotes and their snapshots alone. Answers, account objects,
`portfolio`, `market`, heartbeats and errors are JSON text on every connection.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from edge.fanout.actions import Mode
from edge.fanout.binary import PACKERS
from edge.fanout.frames import array_frame, packets_frame, text_frame
from edge.fanout.rendering import RENDERERS, Render, as_snapshot


class Encoding(NamedTuple):
    """How a quote becomes a piece, by mode, and such a piece a snapshot; and how pieces become the
    bytes of one write: alone, or beside an object of the account, which may come without any."""

    subprotocol: str
    renderers: Mapping[Mode, Render]
    as_snapshot: Callable[[bytes], bytes]
    frame: Callable[[Sequence[bytes]], bytes]
    frame_beside: Callable[[Sequence[bytes], bytes], bytes]


def _in_the_array(pieces: Sequence[bytes], content: bytes) -> bytes:
    return array_frame([*pieces, content])


def _behind_the_packets(pieces: Sequence[bytes], content: bytes) -> bytes:
    return (packets_frame(pieces) if pieces else b"") + text_frame(content)


JSON = Encoding("outcry.v1.json", RENDERERS, as_snapshot, array_frame, _in_the_array)
BINARY = Encoding("outcry.v1.binary", PACKERS, bytes, packets_frame, _behind_the_packets)
#: By the subprotocol that a client offers.
ENCODINGS: Mapping[str, Encoding] = {each.subprotocol: each for each in (JSON, BINARY)}
