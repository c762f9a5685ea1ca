"""Questions of one kind, asked of a store together.

Invariant: the loop never waits. One asking is under way at a time, on a thread of its own, of
`at_once` questions at most in the order they came; those that come meanwhile wait for the next. So
in a storm a store is asked once for many, and a question alone is asked within a turn of the loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from edge.runtime.log import logger
from functions.shared.domain.errors import Refused, Retryable

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")


class Threads:
    """Asks on threads, answers on the loop. An error nobody expects is given to `fail`."""

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._fail = fail

    def ask(
        self,
        pool: ThreadPoolExecutor,
        ask: Callable[[], T],
        answer: Callable[[T | Refused | Retryable], None],
    ) -> None:
        """Calls `answer` with what `ask` returned, or with the Refused or Retryable it raised."""

        def done(future: "Future[T]") -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self.loop.call_soon_threadsafe(answer, future.result())
            elif isinstance(error, Refused | Retryable):
                self.loop.call_soon_threadsafe(answer, error)
            else:
                self.loop.call_soon_threadsafe(self._fail, error)

        pool.submit(ask).add_done_callback(done)


class Gathering(Generic[Q, A]):
    """`ask` is called on the thread with some questions and answers each in turn; `answer` is told
    on the loop, once for each question, the answer or why there is none."""

    def __init__(
        self,
        threads: Threads,
        name: str,
        at_once: int,
        ask: Callable[[list[Q]], Sequence[A]],
        answer: Callable[[Q, A | Refused | Retryable], None],
    ) -> None:
        self._name, self._threads, self._pool = name, threads, ThreadPoolExecutor(1, name)
        self._at_once, self._ask, self._answer = at_once, ask, answer
        self._waiting: deque[Q] = deque()
        self._asking = False

    def put(self, question: Q) -> None:
        """Asks it when its turn comes: with what else is put in this turn of the loop."""
        self._waiting.append(question)
        if not self._asking:
            self._asking = True
            self._threads.loop.call_soon(self._next)

    def close(self) -> None:
        """Drops what waits, and waits for what is under way; nobody is answered any more."""
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> None:
        waiting = self._waiting
        asked = [waiting.popleft() for _ in range(min(self._at_once, len(waiting)))]
        self._asking = bool(asked)
        if asked:
            self._threads.ask(
                self._pool, lambda: self._ask(asked), lambda found: self._told(asked, found)
            )

    def _told(self, asked: list[Q], found: Sequence[A] | Refused | Retryable) -> None:
        self._next()  # the store has its next questions while we hand out these answers
        answers: Sequence[A | Refused | Retryable]
        answers = [found] * len(asked) if isinstance(found, Refused | Retryable) else found
        failed = [each for each in answers if isinstance(each, Retryable)]
        if failed:
            logger(__name__).warning(
                "not answered", asked=self._name, count=len(failed), detail=str(failed[0])
            )
        for question, answer in zip(asked, answers, strict=True):
            self._answer(question, answer)
