"""The Merkle tree of the anchors, against the vectors that certificate logs are tested with."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.merkle import (
    Frontier,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
    root_of,
)

# The eight inputs and nine roots of the first certificate log's own tests.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# index, size -> path, from the same place.
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
ENTRIES = st.lists(st.binary(max_size=8), max_size=70)


def hashes(entries: list[bytes]) -> list[bytes]:
    return [leaf_hash(entry) for entry in entries]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_known_roots_are_reached_both_ways(size: int) -> None:
    frontier = Frontier()
    frontier.append(INPUTS[:size])

    assert root_of(hashes(INPUTS[:size])).hex() == ROOTS[size]
    assert frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_the_known_paths_are_found(index: int, size: int) -> None:
    path = inclusion_proof(hashes(INPUTS[:size]), index)

    assert [node.hex() for node in path] == PATHS[index, size]


@given(entries=ENTRIES, data=st.data())
def test_a_frontier_kept_aside_grows_to_the_same_root(
    entries: list[bytes], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    before = Frontier()
    before.append(entries[:cut])
    after = Frontier.unpack(before.size, before.pack())
    after.append(entries[cut:])

    assert after.root() == root_of(hashes(entries))
    assert after.size == len(entries)


@given(size=st.integers(0, 2**40), peaks=st.integers(0, 60))
def test_a_frontier_of_the_wrong_width_is_refused(size: int, peaks: int) -> None:
    packed = b"x" * 32 * peaks
    if size.bit_count() == peaks:
        assert Frontier.unpack(size, packed).pack() == packed
    else:
        with pytest.raises(ValueError, match="peaks"):
            Frontier.unpack(size, packed)


@given(entries=ENTRIES.filter(bool), data=st.data())
def test_every_leaf_is_proven_and_no_other_one_is(
    entries: list[bytes], data: st.DataObject
) -> None:
    leaves = hashes(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    proof, root = inclusion_proof(leaves, index), root_of(leaves)

    assert includes(leaves[index], index, len(leaves), proof, root)
    assert not includes(leaf_hash(b"another entry"), index, len(leaves), proof, root)
    assert not includes(leaves[index], index, len(leaves), [*proof, root], root)
    assert not includes(leaves[index], len(leaves), len(leaves), proof, root)
    for place in range(len(proof)):
        bent = [*proof[:place], hashlib.sha256(proof[place]).digest(), *proof[place + 1 :]]
        assert not includes(leaves[index], index, len(leaves), bent, root)


@given(entries=ENTRIES.filter(bool), data=st.data())
def test_a_grown_tree_is_proven_to_extend_its_beginning(
    entries: list[bytes], data: st.DataObject
) -> None:
    leaves = hashes(entries)
    first = data.draw(st.integers(1, len(entries)))
    proof = consistency_proof(leaves, first)
    old, new = root_of(leaves[:first]), root_of(leaves)

    assert extends(first, old, len(leaves), new, proof)
    forged = root_of([*leaves[: first - 1], leaf_hash(b"rewritten")])
    assert not extends(first, forged, len(leaves), new, proof)
    assert not extends(first, old, len(leaves), forged, proof)
    assert not extends(first, old, len(leaves), new, [*proof, new])
    for place in range(len(proof)):
        bent = [*proof[:place], hashlib.sha256(proof[place]).digest(), *proof[place + 1 :]]
        assert not extends(first, old, len(leaves), new, bent)


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    leaves = hashes(INPUTS)

    with pytest.raises(IndexError):
        inclusion_proof(leaves, len(leaves))
    for first in (0, len(leaves) + 1):
        with pytest.raises(ValueError, match=str(first)):
            consistency_proof(leaves, first)
    assert not extends(0, root_of([]), 8, root_of(leaves), [])
