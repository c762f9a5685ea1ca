"""OUTCRY_HOME: private files, and one supervisor at a time."""

import os
from pathlib import Path

import pytest

from infra.local.home import AlreadyRunning, Home, HomeLock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_everything_in_it_is_its_owners_alone(home: Home) -> None:
    home.write(home.stack_file, b"{}")
    home.password("valkey")
    for path in (home.path, *home.path.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_password_is_made_once(home: Home) -> None:
    assert home.password("postgres") == home.password("postgres") != home.password("valkey")


def test_a_second_supervisor_is_told_who_the_first_is(home: Home) -> None:
    with HomeLock(home):
        assert home.holder() == os.getpid()
        with pytest.raises(AlreadyRunning) as refused, HomeLock(home):
            pass
        assert refused.value.pid == os.getpid()
    assert home.holder() is None


def test_a_file_left_by_a_dead_supervisor_is_no_running_stack(home: Home) -> None:
    with HomeLock(home):
        home.write(home.stack_file, b"{}")
    assert home.read_stack() is None
