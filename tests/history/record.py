"""What clients asked and were answered, written down while it happens.

Invariant: a line is on its way to the file before the call it tells of begins, in one write: a
process killed at any moment leaves every call it may have made behind. A call without an answer has
an unknown outcome, whatever became of it.

Times are nanoseconds of the machine's monotonic clock, the same for every process of one machine.
"""

import itertools
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Facts = dict[str, Any]


@dataclass(slots=True)
class Operation:
    """One call. `outcome`: ok (answered), fail (answered: nothing was done), info (nobody knows),
    error (answered with what no rule explains). `ended` is None unless an answer came."""

    process: str
    number: int
    what: str
    user: int
    asked: Facts
    invoked: int
    ended: int | None = None
    outcome: str = "info"
    answer: Facts = field(default_factory=dict)

    def __str__(self) -> str:
        asked = " ".join(f"{name}={value}" for name, value in self.asked.items())
        return f"{self.process}#{self.number} {self.what} of user {self.user} ({asked})"


class Recorder:
    """The file of one process."""

    def __init__(self, path: Path, process: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._process = process
        self._numbers = itertools.count(1)

    def invoke(self, what: str, user: int, asked: Facts) -> int:
        """Call it directly before the call itself. Returns the operation's number."""
        number = next(self._numbers)
        self._write({"type": "invoke", "process": self._process, "number": number, "what": what,
                     "user": user, "asked": asked, "at": time.monotonic_ns()})  # fmt: skip
        return number

    def answer(self, number: int, outcome: str, answer: Facts) -> None:
        """Call it directly after the answer: `outcome` is ok, fail, info or error."""
        self._write({"type": outcome, "process": self._process, "number": number,
                     "answer": answer, "at": time.monotonic_ns()})  # fmt: skip

    def _write(self, line: Facts) -> None:
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if os.write(self._file, text) != len(text):
            raise OSError("a line of the history was cut short")

    def close(self) -> None:
        os.close(self._file)


def read(paths: Iterable[Path]) -> list[Operation]:
    """Every operation of all files, in the order of asking. What a kill left of a last line counts
    as never written: its call had not begun, or its answer was never acted on."""
    found: dict[tuple[str, int], Operation] = {}
    for path in paths:
        for text in path.read_bytes().split(b"\n")[:-1]:
            line = json.loads(text)
            key = (line["process"], line["number"])
            if line["type"] == "invoke":
                found[key] = Operation(*key, line["what"], line["user"], line["asked"], line["at"])
            else:
                operation = found[key]
                operation.outcome, operation.answer = line["type"], line["answer"]
                operation.ended = None if line["type"] == "info" else line["at"]
    return sorted(found.values(), key=lambda operation: operation.invoked)
