"""Which node of a Valkey cluster has which of its hash slots. Pure.

Invariant: a layout is one node's whole answer, never pieced together from two. It may be out of
date: who follows it is told so by the node asked (MOVED) and reads another.

A key's slot is the CRC16 of it, or of its hash tag: of what stands between the first `{` and the
next `}`, if that is not empty (Valkey cluster specification, "Key distribution model").
"""

from binascii import crc_hqx
from collections.abc import Sequence
from typing import Final

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.stores.valkey_address import Node

SLOTS: Final = 16_384


def slot_of(key: str) -> int:
    """The slot (0 to 16,383) of a key or of a sharded channel."""
    start = key.find("{")
    if start >= 0:
        end = key.find("}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key.encode(), 0) % SLOTS


class Layout:
    """The primary of each slot."""

    def __init__(self, ranges: Sequence[tuple[int, int, Node]]) -> None:
        """Each range is a first slot, a last one and their primary."""
        self._primary: list[Node | None] = [None] * SLOTS
        for first, last, node in ranges:
            self._primary[first : last + 1] = [node] * (last + 1 - first)
        self.nodes = frozenset(node for _, _, node in ranges)

    @classmethod
    def of_one(cls, node: Node) -> "Layout":
        """A server that is no cluster has every slot."""
        return cls([(0, SLOTS - 1, node)])

    def primary(self, slot: int) -> Node | None:
        """None for a slot that nobody serves now."""
        return self._primary[slot]


def decode_layout(answer: object, asked: Node) -> Layout:
    """The answer of one node to CLUSTER SLOTS: `[first, last, [host, port, ...], replicas...]` of
    each range. A node that doesn't know its own name leaves the host empty. Raises
    PeerProtocolError for anything else."""
    if not isinstance(answer, list):
        raise PeerProtocolError(f"CLUSTER SLOTS answered {type(answer).__name__}")
    return Layout([_range(entry, asked) for entry in answer])


def _range(entry: object, asked: Node) -> tuple[int, int, Node]:
    match entry:
        case [int(first), int(last), [bytes() | None as host, int(port), *_], *_] if (
            0 <= first <= last < SLOTS
        ):
            return first, last, Node(host.decode() if host else asked.host, port)
    raise PeerProtocolError(f"CLUSTER SLOTS answered {str(entry)[:80]}")
