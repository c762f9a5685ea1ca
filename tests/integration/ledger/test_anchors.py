"""Anchors: whatever moved gets under a signed root, wherever the job is cut short."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.ledger import anchor
from functions.shared.access.keys import AnchorKey, anchor_key, make_keys
from functions.shared.bookkeeping import anchoring
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Retryable
from functions.shared.domain.merkle import Frontier
from functions.shared.runtime import composition
from functions.shared.stores.objects import FileObjects
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.secrets import FileSecrets
from functions.shared.wire.anchors import (
    decode_heads,
    key_of_anchor,
    pack_head,
    read_checkpoint,
    split_heads,
)
from tests.support.eventually import wait_until
from tests.support.ledger import LAKH, NOON, Trader
from tests.support.postgres import ShardsUnderTest

_QUIET = """
SELECT pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())
"""


class CutShort(Exception):
    """The process ended here."""


class KilledObjects(FileObjects):
    """Ends the process before or after the write of a key that ends in `at`."""

    def __init__(self, folder: Path, at: str, *, written: bool) -> None:
        super().__init__(folder)
        self._at = at
        self._written = written

    def put_new(self, key: str, data: bytes) -> None:
        if not key.endswith(self._at):
            return super().put_new(key, data)
        if self._written:
            super().put_new(key, data)
        raise CutShort


@pytest.fixture
def shard(shards: Shards) -> Database:
    return shards.databases[0]


@pytest.fixture
def objects(tmp_path: Path) -> FileObjects:
    return FileObjects(tmp_path / "objects")


@pytest.fixture
def key(tmp_path: Path) -> AnchorKey:
    secrets = FileSecrets(tmp_path / "secrets")
    make_keys(secrets)
    return anchor_key(secrets)


def anchor_now(
    shard: Database, objects: FileObjects, key: AnchorKey, number: int, now: datetime
) -> int:
    """Anchors once nothing of the server's own (an analyze, say) holds the anchor back."""
    wait_until(lambda: bool(shard.run(_QUIET)[0][0]))
    return anchor.anchor_shard(shard, objects, key, number, now)


def heads_of(objects: FileObjects, number: int) -> list[bytes]:
    _, heads = decode_heads(objects.get(key_of_anchor(0, number, "heads")))
    return list(split_heads(heads))


def account_heads(shard: Database) -> list[bytes]:
    rows = shard.run("SELECT user_id, seq, head FROM ledger.account ORDER BY user_id")
    return [pack_head(*row) for row in rows]


def test_everything_that_moved_is_anchored_and_nothing_else(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey
) -> None:
    first, second = Trader(shards, 1, LAKH), Trader(shards, 2, LAKH)

    assert anchor_now(shard, objects, key, 0, NOON) == 1
    assert heads_of(objects, 1) == account_heads(shard)

    second.buy(1)
    assert anchor_now(shard, objects, key, 0, NOON) == 1
    assert heads_of(objects, 2) == account_heads(shard)[1:]

    assert anchor_now(shard, objects, key, 0, NOON) == 0
    first.deposit(1)
    anchor_now(shard, objects, key, 0, NOON + timedelta(minutes=1))
    assert heads_of(objects, 3) == account_heads(shard)[:1]


def test_each_root_is_over_all_that_was_anchored_so_far(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey
) -> None:
    trader = Trader(shards, 1, LAKH)
    tree = Frontier()
    for number in range(1, 6):
        trader.deposit(number)
        anchor_now(shard, objects, key, 0, NOON)
        tree.append(heads_of(objects, number))
        checkpoint = read_checkpoint(objects.get(key_of_anchor(0, number, "checkpoint")))
        assert (checkpoint.size, checkpoint.root) == (tree.size, tree.root())
        assert anchoring.latest_anchor(shard) == anchoring.Anchored(
            number, anchoring.latest_anchor(shard).through, tree
        )


@pytest.mark.parametrize("at", ["heads", "checkpoint"])
@pytest.mark.parametrize("written", [False, True])
def test_a_run_cut_short_is_finished_by_the_next(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey, tmp_path: Path,
    at: str, written: bool,
) -> None:  # fmt: skip
    trader = Trader(shards, 1, LAKH)
    killed = KilledObjects(tmp_path / "objects", at, written=written)
    with pytest.raises(CutShort):
        anchor_now(shard, killed, key, 0, NOON)
    trader.deposit(5)  # moved on meanwhile: what is written under the number counts

    assert anchor_now(shard, objects, key, 0, NOON) == (
        1 if (at, written) == ("heads", False) else 2
    )

    assert heads_of(objects, anchoring.latest_anchor(shard).number) == account_heads(shard)
    assert anchor_now(shard, objects, key, 0, NOON) == 0


def test_two_runs_at_once_make_one_anchor(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey, tmp_path: Path
) -> None:
    trader = Trader(shards, 1, LAKH)

    class Overtaken(FileObjects):
        """Between this run's look at the ledger and its first write another run goes through."""

        def put_new(self, key_: str, data: bytes) -> None:
            if not overtakers:
                overtakers.append(anchor_now(shard, objects, key, 0, NOON))
                trader.deposit(1)
            super().put_new(key_, data)

    overtakers: list[int] = []
    made = anchor_now(shard, Overtaken(tmp_path / "objects"), key, 0, NOON)

    assert (overtakers, made) == ([1], 2)  # the anchor both made, and the deposit's
    assert anchoring.latest_anchor(shard).number == 2
    assert heads_of(objects, 2) == account_heads(shard)


def test_an_event_still_being_written_is_left_to_the_next_anchor(
    shards: Shards, databases: ShardsUnderTest, shard: Database, objects: FileObjects,
    key: AnchorKey,
) -> None:  # fmt: skip
    Trader(shards, 1, LAKH)
    writer = databases.superuser(0)
    writer.run("BEGIN")
    writer.run("SELECT pg_current_xact_id()")  # its number is taken; its event comes below
    Trader(shards, 2, LAKH)
    anchor.anchor_shard(shard, objects, key, 0, NOON)
    assert [head[:8] for head in heads_of(objects, 1)] == [(1).to_bytes(8)]

    writer.run("SELECT ledger.open_account(3, now())")
    writer.run("COMMIT")
    writer.close()
    anchor_now(shard, objects, key, 0, NOON)

    assert heads_of(objects, 2) == account_heads(shard)[1:]


def test_more_than_one_anchor_takes_is_taken_by_several(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(anchoring, "EVENTS_PER_ANCHOR", 2)
    for user in range(1, 4):
        Trader(shards, user, LAKH)  # two events each

    assert anchor_now(shard, objects, key, 0, NOON) == 3
    assert [head for number in (1, 2, 3) for head in heads_of(objects, number)] == account_heads(
        shard
    )


def test_the_postings_anchored_are_folded_into_their_day_once(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey
) -> None:
    trader = Trader(shards, 1, LAKH)
    anchor_now(shard, objects, key, 0, NOON)
    trader.own(3)
    for _ in range(2):
        anchor_now(shard, objects, key, 0, NOON)

    folded = shard.run("SELECT account, asset, credits - debits, lines FROM ledger.day_total")
    posted = shard.run(
        "SELECT account, asset, sum(amount), count(*) FROM ledger.posting GROUP BY 1, 2"
    )
    assert sorted(folded) == sorted(posted)


def test_anchors_of_another_ledger_are_refused(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey
) -> None:
    """A store that holds another tree under our next number: never go on from it."""
    Trader(shards, 1, LAKH)
    anchor_now(shard, objects, key, 0, NOON)
    foreign = objects.get(key_of_anchor(0, 1, "heads"))
    objects.put_new(key_of_anchor(0, 2, "heads"), foreign)
    Trader(shards, 2, LAKH)

    with pytest.raises(InvariantViolated, match="does not follow"):
        anchor_now(shard, objects, key, 0, NOON)


def test_a_store_without_the_latest_anchor_is_not_given_the_next(
    shards: Shards, shard: Database, objects: FileObjects, key: AnchorKey, tmp_path: Path
) -> None:
    """Two deployments on one ledger would share its anchors out between two stores."""
    trader = Trader(shards, 1, LAKH)
    anchor_now(shard, objects, key, 0, NOON)
    trader.deposit(1)

    with pytest.raises(InvariantViolated, match="can't be read from this store"):
        anchor_now(shard, FileObjects(tmp_path / "another"), key, 0, NOON)
    assert anchor_now(shard, objects, key, 0, NOON) == 1


def test_a_server_that_counts_its_transactions_anew_is_noticed(
    shards: Shards, shard: Database
) -> None:
    Trader(shards, 1, LAKH)
    with pytest.raises(InvariantViolated, match="but this server is at"):
        anchoring.changed_heads(shard, 2**60)


def test_an_anchor_is_recorded_only_behind_the_one_before_it(
    shards: Shards, shard: Database
) -> None:
    Trader(shards, 1, LAKH)
    through = anchoring.changed_heads(shard, 0).through
    tree = Frontier()
    tree.append([b"leaf"])
    for number, after in ((2, 0), (1, 5)):
        with pytest.raises(InvariantViolated, match="does not follow"):
            anchoring.record_anchor(shard, number, after, through, tree, NOON)
    assert anchoring.record_anchor(shard, 1, 0, through, tree, NOON)
    assert not anchoring.record_anchor(shard, 1, 0, through, tree, NOON)
    with pytest.raises(InvariantViolated, match="does not follow"):
        anchoring.record_anchor(shard, 2, through, through + 2**40, tree, NOON)


def test_the_store_refuses_a_second_root_for_a_number(objects: FileObjects) -> None:
    objects.put_new(key_of_anchor(0, 1, "checkpoint"), b"one")
    with pytest.raises(Conflict):
        objects.put_new(key_of_anchor(0, 1, "checkpoint"), b"other")
    with pytest.raises((NotFound, Retryable)):
        objects.get(key_of_anchor(0, 2, "checkpoint"))


def test_a_shard_in_contradiction_holds_up_no_other(
    shards: Shards, objects: FileObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = FileSecrets(tmp_path / "secrets")
    make_keys(secrets)
    Trader(shards, 1, LAKH)
    Trader(shards, 1 + 40, LAKH)
    objects.put_new(key_of_anchor(0, 1, "heads"), b"of no ledger")
    clock = SimpleNamespace(now=lambda: NOON)
    stores = SimpleNamespace(shards=shards, objects=objects, secrets=secrets, clock=clock)
    monkeypatch.setattr(composition, "stores", lambda: stores)
    wait_until(lambda: bool(shards.databases[1].run(_QUIET)[0][0]))

    with pytest.raises(InvariantViolated, match=r"shard-0/0000000001/heads can't be read"):
        anchor.lambda_handler({}, None)

    assert [anchoring.latest_anchor(shard).number for shard in shards.databases] == [0, 1]
