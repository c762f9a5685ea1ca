"""Migrations against a real PostgreSQL."""

import shutil
from pathlib import Path

import pytest

from infra.local.migrations import FOLDER, MigrationRefused, migrate, migrations
from infra.local.postgres import connect
from infra.local.seed import seed_instruments
from tests.support.postgres import ShardsUnderTest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "migrations"
    shutil.copytree(FOLDER, copied)
    return copied


def test_migrating_again_changes_nothing(owner_urls: list[str]) -> None:
    assert migrate(owner_urls) == 0


def test_a_file_that_changed_after_it_was_applied_is_refused(
    owner_urls: list[str], folder: Path
) -> None:
    first = migrations(folder)[0][3]
    first.write_text(first.read_text() + "\n-- changed")
    with pytest.raises(MigrationRefused, match="changed after it was applied"):
        migrate(owner_urls, folder)


def test_a_file_that_fails_leaves_nothing_behind(owner_urls: list[str], folder: Path) -> None:
    (folder / "9000_half.sql").write_text("CREATE TABLE ledger.half (x int); SELECT 1/0;")
    with pytest.raises(MigrationRefused, match=r"9000_half\.sql: division by zero"):
        migrate(owner_urls, folder)
    (folder / "9000_half.sql").write_text("CREATE TABLE ledger.half (x int)")
    assert migrate(owner_urls, folder) == len(owner_urls)


def test_a_shard_0_file_runs_on_shard_0_alone(owner_urls: list[str], folder: Path) -> None:
    (folder / "9001_control.shard0.sql").write_text("CREATE TABLE ledger.control (x int)")
    assert migrate(owner_urls, folder) == 1
    found = []
    for url in owner_urls:
        connection = connect(url)
        found.append(connection.run("SELECT to_regclass('ledger.control')::text")[0][0])
        connection.close()
    assert found == ["ledger.control", None]


def test_seeding_again_keeps_one_row_for_each_instrument(
    databases: ShardsUnderTest, owner_urls: list[str]
) -> None:
    count = seed_instruments(owner_urls)
    connection = databases.superuser(0)
    rows = connection.run("SELECT count(*), count(DISTINCT symbol) FROM market.instrument")
    assert rows == [[count, count]]
    unpriced = "SELECT count(*) FROM market.instrument WHERE previous_close = 0"
    assert connection.run(unpriced) == [[450]]
    seed_instruments(owner_urls, symbols=100)
    assert connection.run(unpriced) == [[450 - 49]]

    assert seed_instruments(owner_urls, symbols=count + 9) == count + 9
    load = "SELECT min(symbol), max(symbol), count(*) FROM market.instrument WHERE token > 900000"
    assert connection.run(load) == [["LOAD0001", "LOAD0009", 9]]
    seed_instruments(owner_urls, symbols=count + 2)
    assert connection.run(load) == [["LOAD0001", "LOAD0002", 2]]
    assert seed_instruments(owner_urls) == count
    assert connection.run(load) == [[None, None, 0]]
    connection.close()
