"""`outcry ledger prove USER`: that a user's log up to an event is under a signed root.

What it prints is enough for the user, or anyone who has the public key, to check without us: the
anchored head, its path to the root (RFC 6962, section 2.1.1), and the checkpoint as it was signed.
With an older checkpoint kept from before it also proves that the tree only grew since (2.1.2).
Invariant: a proof that does not hold is never printed.
"""

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec

from functions.shared.domain.merkle import (
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
)
from functions.shared.wire.anchors import (
    Checkpoint,
    decode_heads,
    read_checkpoint,
    split_heads,
    unpack_head,
)


class NoProof(Exception):
    """Why nothing can be proven."""


class Proof(msgspec.Struct, frozen=True):
    """Hashes in base64 but the event's, which is in hexadecimal as `/v1/ledger` shows it. The leaf
    is user and seq as 8 bytes each, most significant first, and the hash of that event."""

    user_id: int
    seq: int
    hash: str
    index: int
    size: int
    inclusion: list[str]
    checkpoint: str
    consistency: list[str] | None = None


def prove(anchors: Path, user_id: int, since: bytes | None = None) -> Proof:
    """The latest anchored head of the user, from the store's folder `anchors`.

    `since`: a checkpoint from before. Raises NoProof, OSError, msgspec.MsgspecError, ValueError.
    """
    for place in sorted(anchors.glob("shard-*")):
        leaves = list(_leaves(place))
        heads = [unpack_head(leaf) for leaf in leaves]
        found = [index for index, head in enumerate(heads) if head[0] == user_id]
        if found:
            return _prove(place, leaves, max(found, key=lambda i: (heads[i][1], i)), since)
    raise NoProof(f"no anchor has user {user_id}")


def _prove(place: Path, leaves: list[bytes], index: int, since: bytes | None) -> Proof:
    note = (_anchors(place)[-1] / "checkpoint").read_bytes()
    latest = read_checkpoint(note)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    path = inclusion_proof(hashes, index)
    if not includes(hashes[index], index, latest.size, path, latest.root):
        raise NoProof(f"the anchors in {place} are not what was signed")
    user_id, seq, head = unpack_head(leaves[index])
    return Proof(
        user_id, seq, head.hex(), index, latest.size, _texts(path), note.decode(),
        _since(read_checkpoint(since), latest, hashes) if since else None,
    )  # fmt: skip


def _since(before: Checkpoint, latest: Checkpoint, hashes: list[bytes]) -> list[str]:
    if before.origin != latest.origin or not 0 < before.size <= latest.size:
        raise NoProof(f"{before.origin} at {before.size} is no beginning of {latest.origin}")
    path = consistency_proof(hashes, before.size)
    if not extends(before.size, before.root, latest.size, latest.root, path):
        raise NoProof(f"the log of {latest.size} does not begin with that one of {before.size}")
    return _texts(path)


def _anchors(place: Path) -> list[Path]:
    """The folders of the anchors that are signed, in order."""
    return [one for one in sorted(place.iterdir()) if (one / "checkpoint").exists()]


def _leaves(place: Path) -> Iterator[bytes]:
    for anchor in _anchors(place):
        yield from split_heads(decode_heads((anchor / "heads").read_bytes())[1])


def _texts(path: list[bytes]) -> list[str]:
    return [base64.b64encode(node).decode() for node in path]
