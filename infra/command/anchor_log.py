"""The signed anchors of the shards, read back and checked from what lies in the write-once store.

Invariant: nothing here is shared with the program that signs: the tree, the note and the signature
are read as RFC 6962, C2SP's signed-note and RFC 8032 have them. A root counts when its signature is
the pinned key's and it is the root over every leaf written so far.
"""

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_LEAF = struct.Struct(">qq32s")
_SIGNED_BY = "— "
_KEY_ID_BYTES = 4


class AnchorFault(Exception):
    """An anchor that is not what it should be, and why."""


class Anchor(NamedTuple):
    """One anchor as it was written: what its row in the ledger must say. `after` and `through` are
    transactions, `at` microseconds since 1970."""

    after: int
    through: int
    size: int
    root: bytes
    frontier: bytes
    at: int


@dataclass(slots=True)
class Shard:
    """One shard's anchors. `leaves`: (user, seq, hash) of each, with the anchor's number."""

    number: int
    anchors: list[Anchor] = field(default_factory=list)
    leaves: list[tuple[int, int, bytes, str]] = field(default_factory=list)
    fault: str | None = None


def load_key(path: Path) -> Ed25519PublicKey:
    """The pinned public key, as PEM. Raises OSError, ValueError."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} is not an Ed25519 public key")
    return key


def read_anchors(folder: Path, key: Ed25519PublicKey) -> list[Shard]:
    """Every shard's anchors below `folder`/anchors, each up to the first that is wrong."""
    places = sorted((folder / "anchors").glob("shard-*"), key=lambda path: path.name)
    return [_read_shard(place, key) for place in places]


def is_written(folder: Path, shard: int, number: int) -> bool:
    """Whether the store has that anchor by now."""
    return (folder / "anchors" / f"shard-{shard}" / f"{number:010d}" / "checkpoint").exists()


def _read_shard(place: Path, key: Ed25519PublicKey) -> Shard:
    shard = Shard(int(place.name.removeprefix("shard-")))
    tree = _Tree()
    for number, anchor in enumerate(sorted(place.iterdir()), start=1):
        if anchor.name != f"{number:010d}":
            shard.fault = f"anchor {number} is missing from the store"
            break
        if not (anchor / "checkpoint").exists():
            break  # written next: its heads are there, its root is not yet
        try:
            _read_anchor(shard, number, anchor, tree, key)
        except (AnchorFault, OSError, ValueError, KeyError) as error:
            shard.fault = f"anchor {number}: {error}"
            break
    return shard


def _read_anchor(
    shard: Shard, number: int, anchor: Path, tree: "_Tree", key: Ed25519PublicKey
) -> None:
    log = f"outcry/ledger/shard-{shard.number}"
    line, _, heads = (anchor / "heads").read_bytes().partition(b"\n")
    header = json.loads(line)
    if (header["log"], header["number"]) != (log, number) or len(heads) % _LEAF.size:
        raise AnchorFault("its heads are of another one")
    if (header["before_size"], header["before_root"]) != (tree.size, tree.root().hex()):
        raise AnchorFault("it does not go on from the one before it")
    for leaf in range(0, len(heads), _LEAF.size):
        tree.append(heads[leaf : leaf + _LEAF.size])
    size, root = _open_note((anchor / "checkpoint").read_bytes(), log, key)
    if (size, root) != (tree.size, tree.root()):
        raise AnchorFault("its root is not the root of the heads up to it")
    shard.anchors.append(
        Anchor(header["after"], header["through"], size, root, tree.frontier(), header["at"])
    )
    name = f"anchor {number} of shard {shard.number}"
    shard.leaves += ((*leaf, name) for leaf in _LEAF.iter_unpack(heads))


def _open_note(note: bytes, log: str, key: Ed25519PublicKey) -> tuple[int, bytes]:
    """Size and root of a note that the pinned key signed. Raises AnchorFault otherwise."""
    text, _, signatures = note.decode().partition("\n\n")
    text += "\n"
    public = key.public_bytes_raw()
    key_id = hashlib.sha256(log.encode() + b"\n\x01" + public).digest()[:_KEY_ID_BYTES]
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_SIGNED_BY).partition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise AnchorFault("its signature can't be read") from None
        if name != log or signature[:_KEY_ID_BYTES] != key_id:
            continue  # a witness's
        try:
            key.verify(signature[_KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise AnchorFault("its signature is false") from None
        origin, size, root = text.splitlines()[:3]
        if origin != log:
            raise AnchorFault("it is signed for another log")
        return int(size), base64.b64decode(root, validate=True)
    raise AnchorFault("it is not signed by our key")


class _Tree:
    """RFC 6962, section 2.1, leaf by leaf: of each height at most one complete subtree is open."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[tuple[int, bytes]] = []

    def append(self, data: bytes) -> None:
        height, node = 0, hashlib.sha256(b"\x00" + data).digest()
        while self._complete and self._complete[-1][0] == height:
            node = hashlib.sha256(b"\x01" + self._complete.pop()[1] + node).digest()
            height += 1
        self._complete.append((height, node))
        self.size += 1

    def frontier(self) -> bytes:
        """The roots of the complete subtrees, largest first."""
        return b"".join(node for _, node in self._complete)

    def root(self) -> bytes:
        nodes: Iterator[bytes] = (node for _, node in reversed(self._complete))
        root = next(nodes, None)
        if root is None:
            return hashlib.sha256(b"").digest()
        for node in nodes:
            root = hashlib.sha256(b"\x01" + node + root).digest()
        return root
