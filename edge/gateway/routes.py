"""Tells the functions which order sessions are up and answer, so that no order is taken that can't
leave, or that would join others which nobody answers.

Invariant: a change is told at once and the state again and again, so that neither a lost Valkey
nor a dead gateway leaves a session up that isn't. Only the sessions' holder tells.
"""

import threading
from collections.abc import Callable, Sequence, Set
from datetime import datetime

from edge.runtime.log import logger
from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.order_routes import write_routes
from functions.shared.stores.valkey import Valkey
from functions.shared.wire.order_routes import Route, Routes

EVERY_SECONDS = 0.25


class RouteTeller:
    """Tells on a thread of its own; hears of changes on the engine's."""

    def __init__(
        self,
        names: Sequence[str],
        valkey: Valkey,
        wall: Callable[[], datetime],
        held: Callable[[], bool],
        hung: Callable[[], Set[int]],
    ) -> None:
        self._valkey = valkey
        self._wall = wall
        self._held = held
        self._hung = hung
        self._lock = threading.Lock()
        self._changed = threading.Event()
        now = micros(wall())
        self._routes = [Route(name=name, up=False, since=now) for name in names]
        self._away = False

    def changed(self, session: int, up: bool) -> None:
        """The session is on, or off."""
        with self._lock:
            self._became(session, up=up, hung=False)
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        """Tells until `stop`, and then that all are down: they are being logged out."""
        while not stop.is_set():
            self.tell()
            self._changed.wait(EVERY_SECONDS)
            self._changed.clear()
        for session in range(len(self._routes)):
            self.changed(session, up=False)
        self.tell()

    def tell(self) -> None:
        """Writes the state; while Valkey is away no order is taken anyway, for want of a price."""
        if not self._held():
            return
        hung = self._hung()
        with self._lock:
            for session, route in enumerate(self._routes):
                self._became(session, up=route.up, hung=route.up and session in hung)
            routes = Routes(routes=tuple(self._routes))
        try:
            write_routes(self._valkey, routes)
        except Retryable as error:
            if not self._away:
                logger(__name__).warning("session state not told", detail=str(error))
            self._away = True
            return
        self._away = False

    def _became(self, session: int, *, up: bool, hung: bool) -> None:
        """Under the lock."""
        route = self._routes[session]
        if (route.up, route.hung) == (up, hung):
            return
        since = micros(self._wall())
        self._routes[session] = Route(name=route.name, up=up, hung=hung, since=since)
        if hung:
            logger(__name__).error("the venue does not answer", session=route.name)
