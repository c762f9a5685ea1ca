"""What every process of a workload does: asks through the application's own door, and records.

A call whose outcome nobody knows is asked again with the same key, as a client must; the process
may be killed at any moment.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock_time
from pathlib import Path

from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound, Retryable
from functions.shared.stores.postgres import Shards
from tests.history.record import Facts, Recorder

AGAIN_SECONDS = 0.05
AGAIN_MOST = 1_200
"""A minute: longer than a killed server takes to come back."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all workers of one history share. `folder` has a file `day` with the business date."""

    folder: Path
    urls: list[str]
    users: list[int]
    until: float

    def today(self) -> date:
        return date.fromisoformat((self.folder / "day").read_text())


class Worker:
    """Records what it asks. `until` is on the monotonic clock."""

    def __init__(self, setting: Setting, name: str, seed: int) -> None:
        self.setting = setting
        self.rng = random.Random(f"{seed} {name}")
        self.name = name
        self.shards = Shards(setting.urls, name)
        self.recorder = Recorder(setting.folder / f"{name}.jsonl", name)
        self.numbers = 0
        self.steps = 0
        self._twin = Shards(setting.urls, f"{name}-twin")
        self._pool = ThreadPoolExecutor(1)

    def key(self) -> str:
        self.numbers += 1
        return f"{self.name}-{self.numbers}"

    def run(self, done: Callable[[], bool] = lambda: False) -> None:
        """Goes on until the time is up, or it is done."""
        try:
            while time.monotonic() < self.setting.until and not done():
                self.step()
                self.steps += 1
        finally:
            self.close()

    def close(self) -> None:
        self._pool.shutdown()
        self._twin.close()
        self.shards.close()
        self.recorder.close()

    def step(self) -> None:
        raise NotImplementedError

    def at_once(
        self, send: Callable[[Shards], Facts | None], part: float
    ) -> list[Facts | None]:  # fmt: skip
        """Sends something; that part of the time its twin too, over a second connection."""
        twin = self._pool.submit(send, self._twin) if self.rng.random() < part else None
        answer = send(self.shards)
        return [answer] if twin is None else [answer, twin.result()]

    def ask(
        self, what: str, user: int, asked: Facts, call: Callable[[], Facts]
    ) -> Facts | None:  # fmt: skip
        """Makes a call until its outcome is known. The answer; None when it is a refusal, or the
        time was up first."""
        for _ in range(AGAIN_MOST):
            number = self.recorder.invoke(what, user, asked)
            try:
                answer = call()
            except Retryable as error:
                self.recorder.answer(number, "info", {"why": str(error)})
                time.sleep(AGAIN_SECONDS)
                continue
            except Conflict as error:
                self.recorder.answer(number, "fail", {"why": error.code})
            except (InvariantViolated, NotFound) as error:
                self.recorder.answer(number, "error", {"why": str(error)})
            else:
                self.recorder.answer(number, "ok", answer)
                return answer
            return None
        return None


def noon(day: date) -> datetime:
    """12:00 IST of a business day, which all its calls are made at."""
    return datetime.combine(day, clock_time(6, 30), UTC)
