"""How many databases a home has: said once, and never fewer again."""

from pathlib import Path

import pytest

from infra.local.home import Home
from infra.local.postgres import APPLICATION, PostgresServer, ShardsRefused, keep_shards


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


def shards_of(home: Home) -> list[str]:
    return [url.rpartition("/")[2] for url in PostgresServer(home, 1).urls(APPLICATION)]


def test_a_home_has_two_shards_until_more_are_asked_for(home: Home) -> None:
    keep_shards(home, None)
    assert shards_of(home) == ["outcry_0", "outcry_1"]
    keep_shards(home, 3)
    keep_shards(home, None)
    assert shards_of(home) == ["outcry_0", "outcry_1", "outcry_2"]


def test_shards_are_never_taken_from_their_users(home: Home) -> None:
    keep_shards(home, 3)
    with pytest.raises(ShardsRefused, match="has 3 shards"):
        keep_shards(home, 2)
    assert len(shards_of(home)) == 3


def test_a_home_that_was_made_without_saying_has_its_two(home: Home) -> None:
    data = home.path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("18")
    with pytest.raises(ShardsRefused, match="has 2 shards"):
        keep_shards(home, 1)
    keep_shards(home, 2)
    assert len(shards_of(home)) == 2
