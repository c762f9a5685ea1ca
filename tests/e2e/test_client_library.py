"""The client library's page: its program runs as it stands there, and its table is the truth."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from outcry_client import Limits
from tests.support.stack import Stack
from tests.support.trader import eventually

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "outcry_client" / "README.md").read_text()
FILL_SECONDS = 240.0
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_hears_prices_and_the_fill_of_an_order_it_placed_before(
    stack: Stack, tmp_path: Path
) -> None:
    made = stack.outcry("demo-user", "--count", "1", "--json")
    (user,) = json.loads(made.stdout)
    program, output = tmp_path / "example.py", tmp_path / "output"
    program.write_text(PROGRAM)
    words = [stack.api, user["username"], user["password"], user["totp_secret"]]
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", program, *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
        )  # fmt: skip

    def ended() -> bool:
        return process.poll() is not None

    def heard(text: str) -> bool:
        return all(re.search(f"(?m)^{line}", text) for line in (r"INFY \d", r"\d+ fill "))

    try:
        told = eventually(output.read_text, lambda text: ended() or heard(text), FILL_SECONDS)
        assert not ended(), told
    finally:
        process.kill()
        process.wait()
    numbers = [int(number) for number in re.findall(r"(?m)^(\d+) \w+ \{", told)]
    assert sorted(set(numbers)) == list(range(min(numbers), max(numbers) + 1))
    assert numbers == sorted(numbers)
    assert told.count("stream live") == 1


def test_every_limit_is_listed_with_its_default() -> None:
    listed = {}
    for names, values in re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([\d., ]+) \|", PAGE, re.MULTILINE
    ):
        listed |= zip(re.findall(r"\w+", names), map(float, values.split(", ")), strict=True)
    assert listed == dataclasses.asdict(Limits())
