"""Fixtures every test may ask for, and how the tests are dealt out to worker processes."""

import pytest

pytest_plugins = ["tests.support.postgres", "tests.support.stack"]


@pytest.hookimpl(tryfirst=True)  # before the names are read for the dealing
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps a file's tests in one process, and all that use the one running stack in another."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        fixtures = getattr(item, "fixturenames", ())
        group = "stack" if "stack" in fixtures else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
