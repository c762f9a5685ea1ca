"""Fixtures every test may ask for, and how the tests are dealt out to worker processes."""

import gc
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

# Processes of ours start by the hundred here. What the first one compiles, the others read, even
# where the environment says that nobody writes it down: importing costs half as much.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# CI tries the same examples each time; a developer's machine goes on looking for new ones. No
# deadline: a busy machine is not a failure.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("developer", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "developer")

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.stack",
    "tests.support.kafka",
    "tests.support.buses",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What collecting makes lives to the end: no garbage collection looks at it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


#: The longest groups begin first, so that no worker waits for one that was begun last.
_FIRST = ("broken stacks", "own stacks", "artifacts", "buses", "stack", "tests/integration/")


@pytest.hookimpl(tryfirst=True)  # before the names are read for the dealing
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps a file's tests in one process, and all that use the one running stack in another."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        fixtures = getattr(item, "fixturenames", ())
        group = "stack" if "stack" in fixtures else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)  # stable: a file's own order stays


def _turn(item: pytest.Item) -> int:
    """The place of the test's group in `_FIRST`, or behind them all."""
    marker = item.get_closest_marker("xdist_group")
    group = str(marker.args[0]) if marker else ""
    return next((n for n, first in enumerate(_FIRST) if group.startswith(first)), len(_FIRST))
