"""The threads of a long-lived process: they stop together, and none dies unseen.

Invariant: an error that leaves a thread ends the whole process with exit code 1 and the error in
the log; the supervisor starts it again from what is durable. A signal ends it with exit code 0.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from edge.runtime.log import logger

#: A thread that hasn't ended by then is left behind: the supervisor's patience is 5 s.
JOIN_SECONDS = 4.0


class Threads:
    """Named threads and the one event that tells all of them to stop."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failed = False

    def start(self, name: str, body: Callable[[], None]) -> None:
        """Runs `body` on a thread of its own; it must return soon after `stop` is set."""
        thread = threading.Thread(target=self._guard, args=(name, body), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT set `stop`. Call it from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def fail(self) -> None:
        """The process can't go on; it ends with exit code 1. Safe from any thread."""
        self._failed = True
        self.stop.set()

    def wait(self) -> int:
        """Waits for `stop`, then for the threads. Returns the exit code of the process."""
        self.stop.wait()
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        if late:
            logger(__name__).error("threads did not stop in time", threads=late)
        return 1 if self._failed or late else 0

    def _guard(self, name: str, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException:  # noqa: BLE001 - the one place where a thread's error must not vanish
            logger(__name__).exception("a thread failed; the process ends", thread=name)
            self._failed = True
        finally:
            # A thread that ends of itself leaves the process unable to do its work, too.
            self.stop.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.stop.set()
