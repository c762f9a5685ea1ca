import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "package", ["tui.client.http", "tui.client.stream", "tui.state.account", "tui.state.ticket"]
)
def test_client_and_state_load_no_textual(package: str) -> None:
    """In a process of its own, because a static check can't tell a deferred import."""
    code = f"import {package}, sys; print('textual' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
