"""The verifier holds the ledger against its anchors, and the anchors against their signatures."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from functions.shared.wire.anchors import Checkpoint, read_checkpoint, sign_checkpoint
from infra.command import verify_ledger
from infra.command.anchor_log import load_key, read_anchors
from infra.command.report import Report
from infra.command.verify_ledger import Anchors, check_anchor_rows
from infra.local.postgres import OWNER
from tests.support.busy_books import BusyBooks, busy_books
from tests.support.postgres import PostgresUnderTest

FORGER = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
Tamper = Callable[[Path], object]


@pytest.fixture(scope="module")
def books(
    postgres: PostgresUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusyBooks]:
    with busy_books(postgres, tmp_path_factory.mktemp("books")) as made:
        yield made


@pytest.fixture
def copied(books: BusyBooks, tmp_path: Path) -> Anchors:
    """A copy of the write-once store that a test may write to."""
    folder = tmp_path / "objects"
    shutil.copytree(books.anchors.folder, folder)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    return dataclasses.replace(books.anchors, folder=folder)


def problems(books: BusyBooks, anchors: Anchors) -> list[str]:
    found = verify_ledger.run(books.shards.urls(OWNER), anchors).problems
    return [problem for problem in found if "stuck" not in problem]


def anchor(anchors: Anchors, number: int, what: str) -> Path:
    return anchors.folder / f"anchors/shard-0/{number:010d}/{what}"


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def forged(note: bytes) -> bytes:
    public = FORGER.public_key().public_bytes_raw()
    return sign_checkpoint(read_checkpoint(note), public, FORGER.sign)


def with_other_root(note: bytes) -> bytes:
    """The signature as it is, under another root."""
    text = read_checkpoint(note)
    other = Checkpoint(text.origin, text.size, bytes(32)).text().encode()
    return other + note[len(other) :]


def test_anchors_as_they_were_written_are_fine(books: BusyBooks, copied: Anchors) -> None:
    assert problems(books, copied) == []


def test_an_edited_head_is_found(books: BusyBooks, copied: Anchors) -> None:
    edit(anchor(copied, 2, "heads"), lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    [problem] = problems(books, copied)
    assert "shard 0, anchors: anchor 2: its root is not the root of the heads" in problem


def test_a_root_that_another_key_signed_is_found(books: BusyBooks, copied: Anchors) -> None:
    edit(anchor(copied, 1, "checkpoint"), forged)
    [problem] = problems(books, copied)
    assert "anchor 1: it is not signed by our key" in problem


def test_a_signature_under_another_root_is_found(books: BusyBooks, copied: Anchors) -> None:
    edit(anchor(copied, 3, "checkpoint"), with_other_root)
    [problem] = problems(books, copied)
    assert "anchor 3: its signature is false" in problem


def test_a_missing_anchor_is_found(books: BusyBooks, copied: Anchors) -> None:
    shutil.rmtree(anchor(copied, 2, "heads").parent)
    [problem] = problems(books, copied)
    assert "anchor 2 is missing from the store" in problem


def test_the_latest_anchor_gone_from_the_store_is_found(books: BusyBooks, copied: Anchors) -> None:
    shutil.rmtree(anchor(copied, 3, "heads").parent)
    [problem] = problems(books, copied)
    assert "shard 0, anchors: anchor 3 is recorded and not in the store" in problem


def test_an_empty_store_is_found(books: BusyBooks, copied: Anchors) -> None:
    shutil.rmtree(copied.folder / "anchors")
    found = problems(books, copied)
    assert len(found) == 2  # a shard each
    assert all("anchor 1 is recorded and not in the store" in problem for problem in found)


def test_an_anchor_being_written_is_no_fault(books: BusyBooks, copied: Anchors) -> None:
    following = anchor(copied, 4, "heads")
    following.parent.mkdir()
    following.write_bytes(anchor(copied, 3, "heads").read_bytes())
    assert problems(books, copied) == []


def test_a_witness_may_sign_too(books: BusyBooks, copied: Anchors) -> None:
    def witnessed(note: bytes) -> bytes:
        text = Checkpoint("witness.example", 1, bytes(32))
        other = sign_checkpoint(text, FORGER.public_key().public_bytes_raw(), FORGER.sign)
        return note + other.rpartition(b"\n\n")[2]

    edit(anchor(copied, 1, "checkpoint"), witnessed)
    assert problems(books, copied) == []


def test_anchors_are_checked_by_the_key_that_is_pinned(
    books: BusyBooks, copied: Anchors, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(
        FORGER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    found = problems(books, dataclasses.replace(copied, key=other))
    assert all("it is not signed by our key" in problem for problem in found)
    assert len(found) == 2  # a shard each


def test_a_ledger_restored_from_before_its_anchors_is_found(
    books: BusyBooks, copied: Anchors
) -> None:
    """Two anchors more are signed than the ledger knows of: it was set back."""
    superuser = books.shards.superuser(0)
    superuser.run("SET session_replication_role = replica")
    gone = superuser.run("DELETE FROM ledger.anchor WHERE number > 1 RETURNING *")
    try:
        found = problems(books, copied)
    finally:
        for row in gone:
            values = dict(zip("nofsrda", row, strict=True))
            superuser.run("INSERT INTO ledger.anchor VALUES (:n, :o, :f, :s, :r, :d, :a)", **values)
        superuser.close()
    assert any("2 anchors beyond anchor 1 are signed and not recorded" in one for one in found)
    assert problems(books, copied) == []


@pytest.mark.parametrize("column", ["after", "through", "size", "frontier", "at"])
def test_an_anchor_recorded_with_another_number_is_found(
    books: BusyBooks, copied: Anchors, column: str
) -> None:
    change = {
        "frontier": "frontier || '\\x00'", "at": "at + interval '1 second'",
    }.get(column, f"{column} + 1")  # fmt: skip
    superuser = books.shards.superuser(0)
    try:
        superuser.run("SET session_replication_role = replica")
        superuser.run("BEGIN")
        superuser.run(f"UPDATE ledger.anchor SET {column} = {change} WHERE number = 2")
        report = Report()
        signed = read_anchors(copied.folder, load_key(copied.key))
        check_anchor_rows(superuser, 0, report, signed, copied.folder)
        superuser.run("ROLLBACK")
    finally:
        superuser.close()
    assert report.problems == [
        f"shard 0, anchors: anchor 2: recorded is another {column} than signed"
    ]


def test_a_ledger_that_records_another_root_is_found(books: BusyBooks, copied: Anchors) -> None:
    superuser = books.shards.superuser(0)
    superuser.run("SET session_replication_role = replica")
    update = "UPDATE ledger.anchor SET root = :root WHERE number = 1"
    [[root]] = superuser.run("SELECT root FROM ledger.anchor WHERE number = 1")
    superuser.run(update, root=bytes(32))
    try:
        [problem] = problems(books, copied)
    finally:
        superuser.run(update, root=root)
        superuser.close()
    assert "anchor 1: recorded is another root than signed" in problem
