"""Heads and checkpoints of the anchors, held against what others' logs and notes look like."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.wire.anchors import (
    HEAD_BYTES,
    AnchorHeader,
    Checkpoint,
    decode_heads,
    encode_heads,
    key_id,
    key_of_anchor,
    origin_of_shard,
    pack_head,
    read_checkpoint,
    sign_checkpoint,
    split_heads,
    verifier_key,
)

# The key and the note that the signed-note specification itself shows.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
    "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
NUMBERS = st.integers(0, 2**63 - 1)
HEADERS = st.builds(
    AnchorHeader, log=st.text(max_size=20), number=NUMBERS, after=NUMBERS, through=NUMBERS,
    before_size=NUMBERS, before_root=st.binary(min_size=32, max_size=32).map(bytes.hex), at=NUMBERS,
)  # fmt: skip
CHECKPOINTS = st.builds(
    Checkpoint, st.integers(0, 9).map(origin_of_shard), NUMBERS, st.binary(min_size=32, max_size=32)
)


def test_a_key_is_named_as_the_specification_names_it() -> None:
    name, _, encoded = VKEY.split("+")
    public = base64.b64decode(encoded)[1:]

    assert verifier_key(name, public) == VKEY


def test_the_signature_covers_what_the_specification_says() -> None:
    name, _, encoded = VKEY.split("+")
    text, _, line = NOTE.partition("\n\n")
    signature = base64.b64decode(line.rsplit(" ", 1)[1])
    public = base64.b64decode(encoded)[1:]

    assert signature[:4] == key_id(name, public)
    Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], (text + "\n").encode())


def test_a_checkpoint_is_written_as_logs_write_theirs() -> None:
    note = sign_checkpoint(Checkpoint(origin_of_shard(0), 5, bytes(32)), PUBLIC, KEY.sign)

    lines = note.decode().split("\n")
    assert lines[:4] == ["outcry/ledger/shard-0", "5", "A" * 43 + "=", ""]
    assert lines[4].startswith("— outcry/ledger/shard-0 ")
    assert lines[5:] == [""]


@given(checkpoint=CHECKPOINTS)
def test_a_checkpoint_is_read_as_it_was_signed(checkpoint: Checkpoint) -> None:
    note = sign_checkpoint(checkpoint, PUBLIC, KEY.sign)

    assert read_checkpoint(note) == checkpoint
    assert sign_checkpoint(checkpoint, PUBLIC, KEY.sign) == note
    text, _, line = note.rpartition(b"\n\n")
    signature = base64.b64decode(line.rsplit(b" ", 1)[1])
    KEY.public_key().verify(signature[4:], text + b"\n")


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_else_is_no_checkpoint(data: bytes) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        read_checkpoint(data)


@given(
    header=HEADERS, heads=st.lists(st.tuples(NUMBERS, NUMBERS, st.binary(min_size=32, max_size=32)))
)
def test_heads_are_read_as_they_were_written(
    header: AnchorHeader, heads: list[tuple[int, int, bytes]]
) -> None:
    packed = [pack_head(*head) for head in heads]

    read, data = decode_heads(encode_heads(header, b"".join(packed)))

    assert read == header
    assert list(split_heads(data)) == packed
    assert all(len(leaf) == HEAD_BYTES for leaf in packed)


@pytest.mark.parametrize("data", [b"", b"{}\n", b"not JSON\n", b"\x00" * 96])
def test_anything_else_is_no_heads(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_heads(data)


@given(header=HEADERS)
def test_heads_that_end_in_the_middle_of_one_are_refused(header: AnchorHeader) -> None:
    with pytest.raises(msgspec.MsgspecError, match="heads"):
        decode_heads(encode_heads(header, b"x" * (HEAD_BYTES + 1)))


def test_anchors_lie_in_the_order_of_their_numbers() -> None:
    keys = [key_of_anchor(0, number, "heads") for number in (9, 10, 11, 100)]

    assert keys == sorted(keys)
    assert key_of_anchor(0, 9, "checkpoint") == "anchors/shard-0/0000000009/checkpoint"
