"""A user can hold a proof that the ledger can't take back what it once anchored."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.domain.merkle import extends, includes, leaf_hash
from functions.shared.wire.anchors import pack_head, read_checkpoint
from infra.command.prove_anchor import NoProof, Proof, prove
from tests.support.busy_books import INVESTOR, PAYER, BusyBooks, busy_books
from tests.support.postgres import PostgresUnderTest


@pytest.fixture(scope="module")
def books(
    postgres: PostgresUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusyBooks]:
    with busy_books(postgres, tmp_path_factory.mktemp("books")) as made:
        yield made


@pytest.fixture
def anchors(books: BusyBooks) -> Path:
    return books.anchors.folder / "anchors"


def path_of(texts: list[str] | None) -> list[bytes]:
    return [base64.b64decode(text) for text in texts or []]


def holds(proof: Proof) -> bool:
    """What the user does with it: no access to us, only the checkpoint's signature to check."""
    leaf = leaf_hash(pack_head(proof.user_id, proof.seq, bytes.fromhex(proof.hash)))
    checkpoint = read_checkpoint(proof.checkpoint.encode())
    return checkpoint.size == proof.size and includes(
        leaf, proof.index, proof.size, path_of(proof.inclusion), checkpoint.root
    )


@pytest.mark.parametrize("user", [INVESTOR, PAYER, INVESTOR + 40])
def test_a_users_latest_anchored_event_is_proven(
    books: BusyBooks, anchors: Path, user: int
) -> None:
    proof = prove(anchors, user)
    superuser = books.shards.superuser(0 if user & 63 < 32 else 1)
    [[head, seq]] = superuser.run(
        "SELECT head, seq FROM ledger.account WHERE user_id = :user", user=user
    )
    superuser.close()
    assert (bytes.fromhex(proof.hash), proof.seq) == (head, seq)
    assert holds(proof)


def test_a_proof_of_another_event_does_not_hold(anchors: Path) -> None:
    proof = prove(anchors, INVESTOR)
    assert not holds(Proof(**{**vars_of(proof), "seq": proof.seq - 1}))


def vars_of(proof: Proof) -> dict[str, object]:
    return {name: getattr(proof, name) for name in proof.__struct_fields__}


def test_a_checkpoint_kept_from_before_is_proven_to_be_the_beginning(anchors: Path) -> None:
    kept = (anchors / "shard-0" / f"{1:010d}" / "checkpoint").read_bytes()
    before = read_checkpoint(kept)
    proof = prove(anchors, PAYER, since=kept)
    now = read_checkpoint(proof.checkpoint.encode())
    assert before.size < now.size
    assert extends(before.size, before.root, now.size, now.root, path_of(proof.consistency))


def test_a_checkpoint_of_another_log_is_no_beginning(anchors: Path) -> None:
    other = (anchors / "shard-1" / f"{1:010d}" / "checkpoint").read_bytes()
    with pytest.raises(NoProof, match="no beginning"):
        prove(anchors, PAYER, since=other)


def test_nothing_is_proven_of_a_stranger(anchors: Path) -> None:
    with pytest.raises(NoProof, match="no anchor has user 999"):
        prove(anchors, 999)
