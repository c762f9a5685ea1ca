"""The pool keeps its size whatever happens to a worker."""

from typing import cast

import pytest

from infra.local.gateway import pool as pool_module
from infra.local.gateway.pool import Pool, Worker


class FakeWorker:
    alive = True

    def kill(self) -> None:
        self.alive = False


async def test_a_worker_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_RESPAWN_SECONDS", 0.0)
    outcomes: list[Worker | Exception] = [OSError("no memory"), cast(Worker, FakeWorker())]

    async def spawn() -> Worker:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    pool = Pool(1)
    monkeypatch.setattr(pool, "_spawn", spawn)
    dead = FakeWorker()
    dead.kill()
    pool._give_back(cast(Worker, dead))
    async with pool.lease() as worker:
        assert worker.alive
    pool.close()
