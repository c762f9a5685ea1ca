"""Which migration files there are, and in what order."""

from pathlib import Path

import pytest

from infra.local.migrations import MigrationRefused, migrations


def test_files_run_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0010_b.sql", "0002_a.shard0.sql"):
        (tmp_path / name).write_text("SELECT 1")
    assert [row[:3] for row in migrations(tmp_path)] == [(2, "a", True), (10, "b", False)]


@pytest.mark.parametrize("name", ["1_a.sql", "0001-a.sql", "0001_a.shard1.sql"])
def test_a_misnamed_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused):
        migrations(tmp_path)


def test_a_number_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0001_b.sql").write_text("SELECT 1")
    with pytest.raises(MigrationRefused, match="same number"):
        migrations(tmp_path)


def test_the_projects_own_files_are_well_named() -> None:
    assert migrations()
