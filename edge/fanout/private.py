"""Private events: a user's orders, fills, funds and holdings, in the ledger's order.

Invariant: after its starting point a client is sent every event of its account once and in the
order of `user_seq`. The channel only wakes: an event that is not the next one is never sent from
it, but fetched from the ledger with all before it; so a lost message, a lost Valkey or a resume
are one and the same thing. A client further behind than `resume_events` is sent a `snapshot` object
with the number to go on from, and loads its account over HTTP.
"""

from collections.abc import Container, Iterable, Iterator

import msgspec

from edge.fanout.client import Client, drop_strays
from edge.fanout.doors import Doors
from edge.fanout.frames import encode_object, text_frame
from edge.fanout.limits import DEFAULTS, Limits
from edge.fanout.portfolio import Portfolios
from edge.fanout.tally import Tally
from functions.shared.wire.events import UserEvent, decode_event, render_event, user_channel
from functions.shared.wire.notices import (
    WatchlistMoved,
    decode_notice,
    is_notice,
    render_notice,
)

#: Of notices none is kept: who may have missed one reads all that they tell of.
_READ_LISTS_AGAIN = text_frame(encode_object(render_notice(WatchlistMoved())))


class PrivateEvents:
    """The private side of every signed-in client. Its figures are for /metrics."""

    def __init__(
        self,
        doors: Doors,
        portfolios: Portfolios,
        limits: Limits = DEFAULTS,
        tally: Tally | None = None,
    ) -> None:
        self._doors, self.portfolios, self._limits = doors, portfolios, limits
        self._tally = tally or Tally()
        self._users: dict[int, set[Client]] = {}
        self.sent = self.gaps = self.unreadable = self.reloads = 0

    def __len__(self) -> int:
        return len(self._users)

    def connections(self, user_id: int) -> int:
        """How many clients a user has on this node."""
        return len(self._users.get(user_id, ())) + self._tally.of_others(_name(user_id))

    def enter(self, client: Client) -> None:
        """A client has signed in: listens, and asks where the account stands; once more when the
        channel is known to be `listening`."""
        user_id = _user(client)
        clients = self._users.setdefault(user_id, set())
        clients.add(client)
        self._tally.tell(_name(user_id), len(clients))
        if len(clients) == 1:
            self._doors.listen([user_channel(user_id)])
        self._ask(client)
        self.portfolios.enter(user_id, client, clients)

    def leave(self, client: Client) -> None:
        """A client is forgotten. Harmless when it is already."""
        if client.user_id is None:
            return
        clients = self._users.get(client.user_id, set())
        clients.discard(client)
        self._tally.tell(_name(client.user_id), len(clients))
        if not clients and self._users.pop(client.user_id, None) is not None:
            self._doors.unlisten([user_channel(client.user_id)])
            self.portfolios.leave(client.user_id)

    def strays(self, live: Container[Client]) -> Iterator[int]:
        """Drops what is kept for clients that aren't `live`; yields what each set had of them."""
        for user_id, clients in list(self._users.items()):
            found = drop_strays(clients, live)
            self._tally.tell(_name(user_id), len(clients))
            if not clients and self._users.get(user_id) is clients:
                found = max(found, 1)
                del self._users[user_id]
                self._doors.unlisten([user_channel(user_id)])
                self.portfolios.leave(user_id)
            yield found
        yield from self.portfolios.strays()

    def resume(self, client: Client, seq: int) -> None:
        """A client has everything up to `seq` and wants what came after."""
        client.user_seq = seq
        client.reload = False
        self._ask(client)

    def live(self, user_id: int, payload: bytes) -> None:
        """A message on a user's channel."""
        clients = self._users.get(user_id)
        if not clients:
            return
        if is_notice(payload):
            self._tell(clients, payload)
            return
        try:
            event = decode_event(payload)
        except msgspec.MsgspecError:
            self.unreadable += 1  # the ledger has it too: fetched below the next one that is read
            self.portfolios.unsure(user_id)
            for client in clients:
                self._ask(client)
            return
        self.portfolios.heard(event)
        frame: bytes | None = None
        for client in list(clients):
            client.wanted_seq = max(client.wanted_seq, event.user_seq)
            if client.fetching or client.user_seq is None or event.user_seq <= client.user_seq:
                continue
            if event.user_seq == client.user_seq + 1:
                frame = frame or _frame(event)
                self._send(client, event.user_seq, frame)
            else:
                self.gaps += 1
                self._ask(client)

    def fetched(
        self, client: Client, ticket: int, events: list[UserEvent] | None, latest: int
    ) -> None:
        """The ledger's answer: the events after the client's last, and the latest number.

        `events` is None when only the latest number was asked for.
        """
        client.reading = False
        if client.closed:
            return
        if ticket != client.ticket:  # asked anew meanwhile: this answer is of the past
            if client.user_seq is None and not client.reload:
                client.user_seq = latest  # as good a number to begin from, and an earlier one
            self._ask(client)
            return
        for event in events or ():
            self.portfolios.heard(event)
        self.portfolios.heard_of(_user(client), latest)
        client.fetching = False
        before = client.user_seq
        client.wanted_seq = max(client.wanted_seq, latest)
        if client.reload:
            client.reload = False
            client.user_seq = latest
            client.tell({"type": "snapshot", "code": "RELOAD", "user_seq": latest})
        elif client.user_seq is None or events is None:
            client.user_seq = latest
        elif len(events) > self._limits.resume_events or client.user_seq > latest:
            self.reloads += 1
            client.reload, client.user_seq = True, None
            self._ask(client)
            return
        else:
            for event in events:
                self._send(client, event.user_seq, _frame(event))
        if client.user_seq < client.wanted_seq and not client.closed:
            self._go_on(client, before)

    def not_fetched(self, client: Client, ticket: int) -> None:
        """The ledger did not answer; asked again at the next sweep."""
        client.reading = False
        client.refetch = True

    def listening(self, user_id: int) -> None:
        """A user's channel is delivered from now on: what the ledger was asked for before may lack
        what was published until then."""
        for client in self._users.get(user_id, ()):
            self._ask(client)

    def restored(self, user_ids: Iterable[int]) -> None:
        """These users' channels are back after they were lost: what came meanwhile is fetched."""
        for user_id in user_ids:
            self.portfolios.unsure(user_id)
            clients = self._users.get(user_id, ())
            for client in clients:
                self._ask(client)
            for client in list(clients):
                client.send(_READ_LISTS_AGAIN)

    def sweep(self, client: Client) -> None:
        """Once a second: asks again what was not answered."""
        if client.refetch:
            self._ask(client)

    def _tell(self, clients: Iterable[Client], payload: bytes) -> None:
        """A notice, in no order with the events; one that can't be read says to read all again."""
        try:
            frame = text_frame(encode_object(render_notice(decode_notice(payload))))
        except msgspec.MsgspecError:
            self.unreadable += 1
            frame = _READ_LISTS_AGAIN
        for client in list(clients):
            client.send(frame)

    def _go_on(self, client: Client, before: int | None) -> None:
        """Asks for what it still lacks; if nothing came of asking, not before the next sweep."""
        if client.user_seq == before:
            client.refetch = True
        else:
            self._ask(client)

    def _ask(self, client: Client) -> None:
        """Asks the ledger; at once, or when the read that is under way has been answered."""
        client.ticket += 1
        client.fetching, client.refetch = True, False
        if not client.reading:
            client.reading = True
            self._doors.events(client, client.ticket, client.user_seq)

    def _send(self, client: Client, seq: int, frame: bytes) -> None:
        client.user_seq = seq
        client.send(frame)
        self.sent += 1


def _frame(event: UserEvent) -> bytes:
    """One message with all objects of an event; without any, its number still closes the gap."""
    objects = render_event(event)
    if not objects:
        objects = [{"type": "event", "user_seq": event.user_seq, "kind": event.kind}]
    return text_frame(encode_object(objects[0] if len(objects) == 1 else objects))


def _name(user_id: int) -> str:
    """What a user's clients are counted by; no address looks like it."""
    return f"user {user_id}"


def _user(client: Client) -> int:
    if client.user_id is None:
        raise ValueError("a client that has not signed in has no private events")
    return client.user_id
