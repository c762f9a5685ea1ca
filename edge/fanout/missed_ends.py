"""Ends of sessions that were published while the channel was lost: looked for where they are kept.

Invariant: whichever of the sessions named here has ended is told to `ended`, however long the
stores are away; until they answer, each is looked for again. What waits is a set of sessions that
were live here, so it is bounded by the connections.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import Retryable

#: Sessions that a store is asked about at once.
AT_ONCE: Final = 500


class AliveSessions(Protocol):
    """`functions.shared.access.sessions.Sessions`, on connections of its own."""

    def alive(self, session_ids: Sequence[str], now: datetime) -> set[str]: ...


class MissedEnds:
    """One look is under way at a time, on a thread."""

    def __init__(
        self,
        sessions: AliveSessions,
        ended: Callable[[str], None],
        fail: Callable[[BaseException], None],
        wall: Callable[[], datetime],
    ) -> None:
        self._sessions, self._ended, self._fail, self._wall = sessions, ended, fail, wall
        self._unsure: dict[str, None] = {}
        self._looking: asyncio.Task[None] | None = None

    def look(self, session_ids: Iterable[str]) -> None:
        """Looks for their ends."""
        self._unsure.update(dict.fromkeys(session_ids))
        self._go_on()

    def close(self) -> None:
        """Gives up what is still to be looked for."""
        if self._looking is not None:
            self._looking.cancel()

    def _go_on(self) -> None:
        if self._unsure and self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        backoff = Backoff()
        while self._unsure:
            asked = list(self._unsure)[:AT_ONCE]
            for session_id in asked:  # one named from now on is asked about again
                del self._unsure[session_id]
            try:
                alive = await asyncio.to_thread(self._sessions.alive, asked, self._wall())
            except Retryable as error:
                logger(__name__).warning("ends can't be looked for", detail=str(error))
                self._unsure.update(dict.fromkeys(asked))
                await asyncio.sleep(backoff.next_seconds())
                continue
            for session_id in asked:
                if session_id not in alive:
                    self._ended(session_id)

    def _looked(self, task: "asyncio.Task[None]") -> None:
        self._looking = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._fail(error)
        else:
            self._go_on()  # with what was named since the last one was answered
