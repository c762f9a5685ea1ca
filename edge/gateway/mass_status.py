"""After each logon, every open order of ours against the venue's (FIX 4.4 volume 4, 35=AF). In
FIX 4.2, which has no such request, each of ours is asked about by itself (35=H): orders of the
venue that we don't know are not found there.

A look asks for the venue's open orders of a session, waits until the ledger has applied all that
the venue told before its answer, and compares. What a second look finds at the same version of the
ledger's order was not on its way in between: it is asked about by itself (35=H), so that the ledger
can judge the answer, and noted when a third look finds it still. What the venue has lost is asked
about each time it is noted: once its day is over, the answer ends it.

What is noted as open at the venue and is no working order of ours is cancelled there, each time it
is noted: whatever it traded, no hold would cover it.

Invariant: nothing but questions and such cancels is sent, each cancel written down before it
leaves; nothing is noted that a report on its way explains, and nothing cancelled that any shard has
at work, one that hands its slot over included.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.gateway.metrics import GatewayMetrics
from edge.gateway.order_check import Found, VenueOrder, compare, is_unowned, venue_order_of
from edge.gateway.outbound import Outbound
from edge.gateway.positions import Positions
from edge.gateway.translate import (
    UNOWNED_REQUEST,
    Fields,
    mass_status_fields,
    order_status_fields,
)
from edge.gateway.venue_sessions import FIX42, VenueSession
from edge.runtime.log import logger
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.stores.venue_review import Kind, LedgerOrder, VenueReview
from functions.shared.wire.commands import session_of_symbol

KINDS: Final[tuple[Kind, ...]] = ("LOST_ORDER", "UNKNOWN_ORDER", "UNEQUAL_ORDER")
EVERY_SECONDS = 0.1
#: From a look that found something to the next one, and from one whose findings were noted.
AGAIN_SECONDS = 1.0
REVIEW_SECONDS = 60.0
#: A look that is not answered by then is begun anew.
PATIENCE_SECONDS = 30.0
#: An order that is found so often in succession, at one version, is asked about, and then noted.
ASK_AT, NOTE_AT = 2, 3
#: Orders that keep changing between looks are at work; after so many looks the others are noted.
LOOKS_MOST = 10
#: Questions about single orders in one look, and cancels of orders that are not ours.
ASKED_MOST = 1_000
#: OrdStatus(39) of an order that is open.
_OPEN: Final = frozenset("01")


@dataclass
class _Look:
    """One session's look. `position` is the MsgSeqNum of the last answer, once it is there;
    `single`: in FIX 4.2, the ClOrdIDs asked about and whether each was answered."""

    due_at: float
    request: str = ""
    asked_at: float = 0.0
    position: int | None = None
    told: dict[str, VenueOrder] = field(default_factory=dict)
    single: dict[str, bool] = field(default_factory=dict)
    before: Mapping[tuple[Kind, str, int], int] = field(default_factory=dict)
    count: int = 0

    def times(self, found: Found) -> int:
        """How often in succession this was found, now included."""
        return self.before.get(_key(found), 0) + 1

    def again(self, due_at: float, found: Sequence[Found]) -> "_Look":
        return _Look(due_at, before={_key(f): self.times(f) for f in found}, count=self.count + 1)


class MassStatus:
    """Looks on a thread of its own; hears the answers on the thread that reads reports."""

    def __init__(
        self,
        sessions: Sequence[VenueSession],
        outbound: Outbound,
        positions: Sequence[Positions],
        review: VenueReview,
        metrics: GatewayMetrics,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        cancel_unowned: bool = True,
    ) -> None:
        self._cancel_unowned = cancel_unowned
        self._sessions = sessions
        self._names = [session.name for session in sessions]
        self._outbound = outbound
        self._positions = positions
        self._review = review
        self._metrics = metrics
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looks: dict[int, _Look] = {}
        self._numbers = itertools.count(1)
        self._run = f"{now():%Y%m%d%H%M%S}"
        # From the time on, so that a process begins behind the numbers of the one before it.
        first = int(now().timestamp()) % UNOWNED_REQUEST
        self._cancels = itertools.count(UNOWNED_REQUEST + first)

    def changed(self, session: int, up: bool) -> None:
        """The session is on: look, whatever was found on the connection before. Or it is off."""
        with self._lock:
            self._looks.pop(session, None)
            if up:
                self._looks[session] = _Look(self._monotonic())
        self._metrics.compared.labels(self._names[session]).set(0)

    def heard(self, session: int, position: int, fields: Mapping[int, str]) -> None:
        """An order's status (150=I); one that no look of now asked for says nothing."""
        with self._lock:
            look = self._looks.get(session)
            if look is None or not look.request or look.position is not None:
                return
            if look.single:
                tag = fields.get(11, "")
                if look.single.get(tag, True):
                    return
                look.single[tag] = True
                done = all(look.single.values())
            elif fields.get(584) == look.request:
                done = fields.get(912) == "Y"
            else:
                return
            if fields.get(39) in _OPEN:
                try:
                    order = venue_order_of(fields)
                except PeerProtocolError as error:
                    logger(__name__).error("status not understood", detail=str(error))
                else:
                    look.told[order.tag] = order
            if done:
                look.position = position

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_SECONDS):
            try:
                self.look_once()
            except Retryable as error:
                logger(__name__).warning("orders not compared", detail=str(error))

    def look_once(self) -> None:
        """Asks where a look is due, and compares where the answer is applied. Raises Retryable."""
        now = self._monotonic()
        with self._lock:
            looks = dict(self._looks)
        ready, due = dict[int, _Look](), dict[int, _Look]()
        for session, look in looks.items():
            if look.position is not None:
                if self._positions[session].through >= look.position:
                    ready[session] = look
            elif now >= look.due_at and (not look.request or _late(look, now)):
                due[session] = look
        if not (due or ready):
            return
        single = any(self._sessions[session].version == FIX42 for session in due)
        working = self._review.working_orders() if ready or single else []
        for session, look in due.items():
            self._ask(session, look, now, working)
        for session, look in ready.items():
            self._compare(session, look, working)

    def _ask(self, session: int, look: _Look, now: float, working: Sequence[LedgerOrder]) -> None:
        request = f"{self._run}-{next(self._numbers)}"
        questions = [mass_status_fields(request)]
        ours: list[LedgerOrder] = []
        if self._sessions[session].version == FIX42:
            ours = [o for o in self._of(session, working) if o.answered][:ASKED_MOST]
            questions = [_status_of(order) for order in ours]
        with self._lock:
            look.told.clear()
            look.single = {order.tag: False for order in ours}
            look.request, look.asked_at = request, now
            if not questions:
                look.position = 0
        if not all(self._outbound.ask(session, question) for question in questions):
            look.request = ""  # logged off; the next logon looks anew

    def _of(self, session: int, working: Sequence[LedgerOrder]) -> list[LedgerOrder]:
        count = len(self._names)
        return [o for o in working if session_of_symbol(o.symbol, count) == session]

    def _compare(self, session: int, look: _Look, working: Sequence[LedgerOrder]) -> None:
        ours = {o.order_id: o for o in self._of(session, working)}
        if self._sessions[session].version == FIX42:
            ours = {o.order_id: o for o in ours.values() if o.tag in look.single}
        others = {o.order_id for o in look.told.values() if o.order_id} - ours.keys()
        if others:
            ours |= {o.order_id: o for o in self._review.orders_named(sorted(others))}
        found = list(compare(ours, look.told))
        sure = [f for f in found if look.times(f) >= NOTE_AT]
        if len(sure) < len(found) and look.count < LOOKS_MOST:
            self._ask_about(session, [f for f in found if look.times(f) == ASK_AT], ours, look.told)
            self._put(session, look, look.again(self._monotonic() + AGAIN_SECONDS, found))
            return
        self._note(session, sure)
        self._cancel(session, [f for f in sure if is_unowned(f, ours)], look.told)
        following = None
        if sure:  # look from time to time whether they are gone
            # Once its day is over, that the venue doesn't know an order ends it in the ledger.
            lost = [f for f in sure if f.difference.kind == "LOST_ORDER"]
            self._ask_about(session, lost, ours, look.told)
            following = look.again(self._monotonic() + REVIEW_SECONDS, found)
            following.count = 0
        self._put(session, look, following)

    def _put(self, session: int, done: _Look, following: _Look | None) -> None:
        """Replaces a look that is done, unless a logon has done so."""
        with self._lock:
            if self._looks.get(session) is not done:
                return
            if following is None:
                del self._looks[session]
            else:
                self._looks[session] = following

    def _ask_about(
        self,
        session: int,
        found: Sequence[Found],
        ours: Mapping[int, LedgerOrder],
        told: Mapping[str, VenueOrder],
    ) -> None:
        by_tag = {f.difference.subject: f.difference.kind for f in found[:ASKED_MOST]}
        for order in ours.values():
            if by_tag.get(order.tag) == "LOST_ORDER":
                self._outbound.ask(session, _status_of(order))
        for tag, theirs in told.items():
            if by_tag.get(tag) == "UNEQUAL_ORDER":
                self._outbound.ask(
                    session,
                    order_status_fields(tag, theirs.account, theirs.symbol, theirs.side),
                )

    def _cancel(self, session: int, found: Sequence[Found], told: Mapping[str, VenueOrder]) -> None:
        """Cancels what is noted and not ours. Raises Retryable; the look is then made again."""
        if not (found and self._cancel_unowned):
            return
        orders = [told[f.difference.subject] for f in found if f.difference.subject in told]
        elsewhere = self._review.working_anywhere([o.order_id for o in orders if o.order_id])
        for order in orders[:ASKED_MOST]:
            if order.order_id in elsewhere:
                continue
            number = next(self._cancels)
            self._review.note_cancel(self._names[session], order.tag, number)
            self._outbound.cancel_unowned(session, order, number)
            logger(__name__).error(
                "an order at the venue is not ours: cancelling it",
                session=self._names[session],
                client_order_id=order.tag,
                venue=str(order),
            )

    def _note(self, session: int, sure: Sequence[Found]) -> None:
        name = self._names[session]
        self._review.note(name, KINDS, [f.difference for f in sure], self._now())
        counts = Counter(f.difference.kind for f in sure)
        for kind in KINDS:
            self._metrics.differences.labels(name, kind).set(counts[kind])
        self._metrics.compared.labels(name).set(1)
        for f in sure:
            logger(__name__).error(
                "the venue and the ledger differ",
                session=name,
                kind=f.difference.kind,
                subject=f.difference.subject,
                ledger=f.difference.ledger_says,
                venue=f.difference.venue_says,
            )


def _status_of(order: LedgerOrder) -> Fields:
    return order_status_fields(order.tag, str(order.user_id), order.symbol, order.side)


def _key(found: Found) -> tuple[Kind, str, int]:
    return found.difference.kind, found.difference.subject, found.version


def _late(look: _Look, now: float) -> bool:
    return now - look.asked_at > PATIENCE_SECONDS
