"""Every command of the README is run, in its order, as it stands there."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.gone import wait_gone
from tests.support.stack import Stack
from tests.support.trader import eventually

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
BUILD = "make build-functions\n"
#: The suite itself is the proof of the second; the others have tests of their own.
OWN_TESTS = {"make run\n", "make test\n", BUILD}


def script(stack: Stack, block: str) -> str:
    """The block with this machine's addresses in place of the usual ones."""
    return block.replace("http://127.0.0.1:7400", stack.api).replace(
        "ws://127.0.0.1:7401/v1/stream", stack.stream
    )


def test_the_readme_shows_the_commands_that_have_tests_of_their_own() -> None:
    assert set(BLOCKS) >= OWN_TESTS


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b not in OWN_TESTS], ids=lambda block: block.split("\n")[0][:40]
)
def test_a_block_of_the_readme_works(stack: Stack, block: str) -> None:
    environment = {**os.environ, "OUTCRY_HOME": str(stack.home)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(stack, block)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.xdist_group("artifacts")  # one at a time may fill `build`
def test_the_functions_are_built_as_the_readme_says() -> None:
    done = subprocess.run(
        ["bash", "-euc", BUILD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.xdist_group("own stacks")
def test_make_run_starts_everything_says_so_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "OUTCRY_HOME": str(tmp_path / "home")}
    output = tmp_path / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["make", "run", "UP=--port 0 --stream-port 0"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    eventually(output.read_text, lambda text: "Outcry is running" in text, 400)
    parts = psutil.Process(process.pid).children(recursive=True)
    assert len(parts) > 11
    os.killpg(process.pid, signal.SIGINT)
    process.wait(180)
    assert wait_gone(parts, 120)
