"""What an anchor leaves behind: the heads it covers, and the signed root above them.

The heads are one object of fixed records, the root a C2SP checkpoint (tlog-checkpoint.md) in a
signed note (signed-note.md), which any witness of such logs can read and countersign.
Invariant: what the signature covers says all of it: which log, how many leaves, and their root.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

HEAD_BYTES = 48
_HEAD = struct.Struct(">qq32s")
_ED25519 = b"\x01"
_SIGNATURE = "— "
_KEY_ID_BYTES = 4

Sign = Callable[[bytes], bytes]
"""Ed25519 over exactly these bytes."""


class AnchorHeader(msgspec.Struct, frozen=True, kw_only=True):
    """First line of an anchor's heads, as JSON.

    `before_size` and `before_root` (hex) are the tree it extends; `after` and `through` the numbers
    of the transactions it covers, from the first to before the second, in that shard's database;
    `at` the business time in microseconds since 1970.
    """

    v: int = 1
    log: str
    number: int
    after: int
    through: int
    before_size: int
    before_root: str
    at: int


class Checkpoint(msgspec.Struct, frozen=True):
    """A tree's head: the log's name, its number of leaves and their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of_shard(shard: int) -> str:
    """The name of a shard's log, and of the key that signs it."""
    return f"outcry/ledger/shard-{shard}"


def key_of_anchor(shard: int, number: int, what: Literal["heads", "checkpoint"]) -> str:
    """Where an anchor's heads, or its signed root, lie among the write-once objects."""
    return f"anchors/shard-{shard}/{number:010d}/{what}"


def pack_head(user_id: int, seq: int, head: bytes) -> bytes:
    """One leaf's data: the user, the seq and the hash of that event, 48 bytes."""
    return _HEAD.pack(user_id, seq, head)


def unpack_head(leaf: bytes) -> tuple[int, int, bytes]:
    """User, seq and hash of a leaf."""
    user_id, seq, head = _HEAD.unpack(leaf)
    return user_id, seq, head


def encode_heads(header: AnchorHeader, heads: bytes) -> bytes:
    return msgspec.json.encode(header) + b"\n" + heads


def decode_heads(data: bytes) -> tuple[AnchorHeader, bytes]:
    """The header and the packed leaves. Raises msgspec.DecodeError or ValidationError."""
    line, _, heads = data.partition(b"\n")
    header = msgspec.json.decode(line, type=AnchorHeader)
    if header.v != 1 or len(heads) % HEAD_BYTES:
        raise msgspec.ValidationError("these are not the heads of an anchor")
    return header, heads


def split_heads(heads: bytes) -> Iterator[bytes]:
    """The data of each leaf, in the order of the tree."""
    return (heads[i : i + HEAD_BYTES] for i in range(0, len(heads), HEAD_BYTES))


def key_id(name: str, public_key: bytes) -> bytes:
    """The four bytes that say in a note which key signed it."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """What a witness is given to check our notes with: NAME+KEYID+BASE64."""
    encoded = base64.b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{encoded}"


def sign_checkpoint(checkpoint: Checkpoint, public_key: bytes, sign: Sign) -> bytes:
    """The signed note of a checkpoint; asked again, the same bytes (RFC 8032, section 5.1.6)."""
    text = checkpoint.text()
    signature = key_id(checkpoint.origin, public_key) + sign(text.encode())
    line = f"{_SIGNATURE}{checkpoint.origin} {base64.b64encode(signature).decode()}\n"
    return f"{text}\n{line}".encode()


def read_checkpoint(note: bytes) -> Checkpoint:
    """What a note says, whoever signed it. Raises ValueError when it is no checkpoint."""
    try:
        text, _, signatures = note.decode().rpartition("\n\n")
        origin, size, root = text.split("\n")[:3]
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except (ValueError, binascii.Error) as error:
        raise ValueError("this is no checkpoint") from error
    if not signatures.startswith(_SIGNATURE) or checkpoint.text() != text + "\n":
        raise ValueError("this is no checkpoint of ours")
    return checkpoint
