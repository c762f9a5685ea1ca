"""Private events: a user's orders, fills, funds and holdings, in the ledger's order.

Invariant: after its starting point a client is sent every event of its account once and in the
order of `user_seq`. The channel only wakes: an event that is not the next one is never sent from
it, but fetched from the ledger with all before it; so a lost message, a lost Valkey or a resume
are one and the same thing. A client further behind than EVENTS_MAX is sent a `snapshot` object with
the number to go on from, and loads its account over HTTP.
"""

from collections.abc import Container, Iterable, Iterator

import msgspec

from edge.fanout.client import Client, drop_strays
from edge.fanout.doors import EVENTS_MAX, Doors
from edge.fanout.frames import encode_object, text_frame
from edge.fanout.portfolio import Portfolios
from functions.shared.wire.events import UserEvent, decode_event, render_event, user_channel


class PrivateEvents:
    """The private side of every signed-in client. Its figures are for /metrics."""

    def __init__(self, doors: Doors, portfolios: Portfolios) -> None:
        self._doors, self.portfolios = doors, portfolios
        self._users: dict[int, set[Client]] = {}
        self.sent = self.gaps = self.unreadable = self.reloads = 0

    def __len__(self) -> int:
        return len(self._users)

    def connections(self, user_id: int) -> int:
        """How many clients a user has here."""
        return len(self._users.get(user_id, ()))

    def enter(self, client: Client) -> None:
        """A client has signed in: listens first, then asks where the account stands."""
        user_id = _user(client)
        clients = self._users.setdefault(user_id, set())
        clients.add(client)
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
        if not clients and self._users.pop(client.user_id, None) is not None:
            self._doors.unlisten([user_channel(client.user_id)])
            self.portfolios.leave(client.user_id)

    def strays(self, live: Container[Client]) -> Iterator[int]:
        """Drops what is kept for clients that aren't `live`; yields what each set had of them."""
        for user_id, clients in list(self._users.items()):
            found = drop_strays(clients, live)
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
        elif len(events) > EVENTS_MAX or client.user_seq > latest:
            self.reloads += 1
            client.reload, client.user_seq = True, None
            self._ask(client)
            return
        else:
            for event in events:
                self._send(client, event.user_seq, _frame(event))
        if client.user_seq < client.wanted_seq and not client.closed:
            if client.user_seq == before:
                client.refetch = True  # nothing came of asking: not again before the next sweep
            else:
                self._ask(client)

    def not_fetched(self, client: Client, ticket: int) -> None:
        """The ledger did not answer; asked again at the next sweep."""
        client.reading = False
        client.refetch = True

    def restored(self, user_ids: Iterable[int]) -> None:
        """These users' channels are back after they were lost: what came meanwhile is fetched."""
        for user_id in user_ids:
            self.portfolios.unsure(user_id)
            for client in self._users.get(user_id, ()):
                self._ask(client)

    def sweep(self, client: Client) -> None:
        """Once a second: asks again what was not answered."""
        if client.refetch:
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


def _user(client: Client) -> int:
    if client.user_id is None:
        raise ValueError("a client that has not signed in has no private events")
    return client.user_id
