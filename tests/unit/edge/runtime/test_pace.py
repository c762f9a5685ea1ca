"""Batches keep their distance; the first after a quiet moment does not wait."""

import threading

from edge.runtime.pace import Pace


class Waits(threading.Event):
    """Writes down how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        return False


def test_only_what_closely_follows_a_batch_waits() -> None:
    now, stop = [10.0], Waits()
    pace = Pace(0.25, lambda: now[0])
    pace.wait(stop)
    pace.begin()
    now[0] = 10.125
    pace.wait(stop)
    assert stop.asked == [0.125]
    now[0] = 10.25
    pace.wait(stop)
    pace.wait(stop)  # nothing came: no batch began
    assert stop.asked == [0.125]
