"""The conversation with a client, without a socket: signing in, asking, deadlines, leaving.

Invariant: nothing is answered before a verified token says who asks; every client is in the hub's
groups from its first byte until it closes, so that one sweep applies every deadline; and a client
that closed is in no set of this process from that moment on.
"""

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import datetime

import msgspec

from edge.fanout.actions import (
    Auth,
    BadMessage,
    Ping,
    Resume,
    Subscribe,
    Unsubscribe,
    parse_action,
)
from edge.fanout.client import (
    DRAINING,
    GOING_AWAY,
    NO_HANDSHAKE,
    REFUSED,
    SESSION_ENDED,
    SIGN_IN_FAILED,
    TOO_MANY,
    TOO_SLOW,
    Client,
    drop_strays,
)
from edge.fanout.doors import Doors
from edge.fanout.frames import array_frame
from edge.fanout.hub import Hub
from edge.fanout.limits import Limits
from edge.fanout.private import PrivateEvents
from edge.fanout.rendering import render_news
from functions.shared.access.principal import Principal, require_address
from functions.shared.clock import micros
from functions.shared.domain.errors import Refused
from functions.shared.domain.money import format_price
from functions.shared.wire.announcements import MarketNews
from functions.shared.wire.events import format_time


class _Instrument(msgspec.Struct, frozen=True):
    """What a client is told of a symbol that it may watch from now on."""

    symbol: str
    exchange: str
    token: int


class Reception:
    """Every client of one process, from its handshake to its close."""

    def __init__(
        self,
        hub: Hub,
        private: PrivateEvents,
        doors: Doors,
        limits: Limits,
        wall: Callable[[], datetime],
    ) -> None:
        self.limits = limits
        self._hub, self._private, self._doors, self._wall = hub, private, doors, wall
        self._sessions: dict[str, set[Client]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    @property
    def leftovers(self) -> int:
        """Entries kept for clients outside the hub's groups: 0 once all have left."""
        private = len(self._private) + len(self._private.portfolios)
        return self._hub.leftovers + private + len(self._sessions)

    def strays(self, live: Container[Client]) -> Iterator[int]:
        """Drops what is kept for clients that aren't `live`; yields what each set had of them."""
        yield from self._hub.strays(live)
        yield from self._private.strays(live)
        for session_id, clients in list(self._sessions.items()):
            found = drop_strays(clients, live)
            if not clients and self._sessions.get(session_id) is clients:
                found = max(found, 1)
                del self._sessions[session_id]
            yield found

    def connected(self, client: Client, token: str | None, now: float) -> None:
        """The handshake is done. `token` is that of its Authorization header, if it has one."""
        client.greeted, client.opened_at = True, now
        if token is not None:
            self._verify(client, token)

    def gone(self, client: Client) -> None:
        """The connection closed or is closing: forgets the client. Harmless when done before."""
        client.closed = True
        self._hub.leave(client)
        self._private.leave(client)
        of_session = self._sessions.get(client.session_id, set())
        of_session.discard(client)
        if not of_session:
            self._sessions.pop(client.session_id, None)

    def frame(self, client: Client, now: float, *, whole: bool = True) -> bool:
        """Counts a frame of a client, of whatever kind, and hears it unless it is but a fragment.
        False when the client has closed, or was now closed for sending too many."""
        client.messages += 1
        if whole:
            client.heard_at = now
        if client.messages > self.limits.messages_per_second:
            client.close(REFUSED, "too many messages")
        return not client.closed

    def message(self, client: Client, text: bytes) -> None:
        """One text message of a client, in the order they came."""
        if client.user_id is None and client.verifying:
            self._put_by(client, text)
        else:
            self._act(client, text)

    def tick(self, number: int, now: float) -> None:
        """Each tick, before its group is served: what is due to be shown then."""
        self._hub.release(now)
        self._private.portfolios.tick(number)

    def market(self, news: Sequence[MarketNews]) -> None:
        """Tells everybody who signed in what changed, in one frame that all share."""
        frame = array_frame([render_news(each) for each in news])
        for client in self._hub.clients():
            if client.user_id is not None:
                client.send(frame)

    def bad(self, client: Client, code: str, detail: str) -> None:
        """Answers what can't be followed; too much of it ends the connection."""
        client.errors += 1
        if client.errors > self.limits.errors:
            client.close(REFUSED, "too many errors")
        else:
            client.tell_error(code, detail)

    def verified(self, client: Client, principal: Principal) -> None:
        """A token holds: signs the client in, or extends its stay."""
        client.verifying = False
        if client.closed:
            return
        if principal.session_id in self._ended:
            client.close(SESSION_ENDED, "SESSION_ENDED")
        elif (refusal := _turned_away(client, principal)) is not None:
            client.close(SIGN_IN_FAILED, refusal)
        elif client.user_id is None:
            self._sign_in(client, principal)
        elif principal.user_id != client.user_id:
            client.close(SIGN_IN_FAILED, "the token is another user's")
        else:
            self._extend(client, principal)

    def refused(self, client: Client, error: Refused) -> None:
        """A token does not hold. Expired and revoked can be mended by a refresh, others not."""
        client.verifying = False
        mendable = error.code in {"TOKEN_EXPIRED", "SESSION_ENDED"}
        client.close(SESSION_ENDED if mendable else SIGN_IN_FAILED, error.code)

    def not_verified(self, client: Client) -> None:
        """Nobody could say whether a token holds: the client tries again elsewhere."""
        client.verifying = False
        client.close(DRAINING, "sign-in is not possible now")

    def session_ids(self) -> list[str]:
        """Of everybody who is signed in."""
        return list(self._sessions)

    def session_ended(self, session_id: str) -> None:
        """A session was revoked: its connections end now."""
        self._ended[session_id] = None
        while len(self._ended) > self.limits.ended_sessions:
            self._ended.popitem(last=False)
        for client in list(self._sessions.get(session_id, ())):
            client.close(SESSION_ENDED, "SESSION_ENDED")

    def sweep(self, group: int, now: float) -> None:
        """Once a second for each group: applies every deadline to its clients."""
        limits, wall = self.limits, micros(self._wall())
        soon = wall + round(limits.expiry_notice_seconds * 1_000_000)
        for client in self._hub.group(group):
            client.messages = 0
            if not client.greeted:
                if now - client.opened_at > limits.handshake_seconds:
                    client.close(NO_HANDSHAKE, "no handshake in time")
            elif client.user_id is None:
                late = now - client.opened_at > limits.sign_in_seconds
                if late and not client.verifying:  # our own time with its token is not its fault
                    client.close(SIGN_IN_FAILED, "no sign-in in time")
            elif client.blocked and now - client.blocked_at > limits.blocked_seconds:
                client.close(TOO_SLOW, "too slow")
            elif now - client.heard_at > limits.silence_seconds:
                client.close(GOING_AWAY, "nothing heard")
            elif wall >= client.expires_at:
                client.close(SESSION_ENDED, "TOKEN_EXPIRED")
            else:
                self._private.sweep(client)
                if not client.expiry_told and soon >= client.expires_at:
                    client.expiry_told = True
                    _tell_expiry(client, "TOKEN_EXPIRING")

    def close_all(self, clients: list[Client], code: int, reason: str) -> None:
        """Closes these clients: a slice of a drain."""
        for client in clients:
            client.close(code, reason)

    def _put_by(self, client: Client, text: bytes) -> None:
        if client.backlog is None:
            client.backlog = []
        if len(client.backlog) >= self.limits.backlog:
            client.close(REFUSED, "too many messages before the sign-in")
        else:
            client.backlog.append(text)

    def _act(self, client: Client, text: bytes) -> None:
        try:
            action = parse_action(text)
        except BadMessage as error:
            if client.user_id is None:
                client.close(SIGN_IN_FAILED, "the first message must be an auth")
            else:
                self.bad(client, error.code, str(error))
            return
        if isinstance(action, Auth):
            self._verify(client, action.token)
        elif client.user_id is None:
            client.close(SIGN_IN_FAILED, "the first message must be an auth")
        elif isinstance(action, Subscribe):
            self._subscribe(client, action)
        elif isinstance(action, Unsubscribe):
            symbols = self._hub.unsubscribe(client, action.symbols)
            client.tell({"type": "unsubscribed", "symbols": symbols})
        elif isinstance(action, Resume):
            self._private.resume(client, action.seq)
        elif isinstance(action, Ping):
            client.tell({"type": "pong", "id": action.id})

    def _subscribe(self, client: Client, action: Subscribe) -> None:
        try:
            min_move = action.least_move()
        except BadMessage as error:
            self.bad(client, error.code, str(error))
            return
        accepted, rejected = self._hub.subscribe(client, action.symbols, action.mode, min_move)
        listed = self._hub.listed
        answer: dict[str, object] = {
            "type": "subscribed",
            "mode": action.mode,
            "symbols": accepted,
            "instruments": [_Instrument(each, *listed[each]) for each in accepted],
            "rejected": [{"symbol": symbol, "code": code} for symbol, code in rejected],
        }
        if min_move:
            answer["min_move"] = format_price(min_move)
        with client.together():
            client.tell(answer)
            pieces = self._hub.snapshots(client, accepted)
            if pieces:
                client.send(client.frame(pieces))
            if stale := self._hub.stale_of(accepted):
                client.tell({"type": "stale", "symbols": stale, "stale": True})
        for code in dict.fromkeys(code for _, code in rejected):
            refused = [symbol for symbol, why in rejected if why == code]
            self.bad(client, code, f"not subscribed: {', '.join(refused[:10])}")

    def _verify(self, client: Client, token: str) -> None:
        if client.verifying:
            self.bad(client, "BUSY", "a token is being verified already")
            return
        client.verifying = True
        self._doors.verify(client, token)

    def _sign_in(self, client: Client, principal: Principal) -> None:
        if self._private.connections(principal.user_id) >= self.limits.connections_per_user:
            client.close(TOO_MANY, "too many connections of this user")
            return
        client.user_id = principal.user_id
        with client.together():
            self._extend(client, principal)
            self._private.enter(client)
            backlog, client.backlog = client.backlog or [], None
            for text in backlog:
                if not client.closed:
                    self._act(client, text)

    def _extend(self, client: Client, principal: Principal) -> None:
        self._sessions.get(client.session_id, set()).discard(client)
        if not self._sessions.get(client.session_id, True):
            del self._sessions[client.session_id]
        client.session_id = principal.session_id
        self._sessions.setdefault(principal.session_id, set()).add(client)
        client.expires_at = micros(principal.expires_at)
        client.expiry_told = False
        _tell_expiry(client, "SIGNED_IN")


def _turned_away(client: Client, principal: Principal) -> str | None:
    """Why a token that holds opens no stream: the session may not read, or its key is not used
    from here."""
    if "read" not in principal.scopes:
        return "SCOPE_MISSING"
    try:
        require_address(principal, client.link.peer())
    except Refused as refusal:
        return refusal.code
    return None


def _tell_expiry(client: Client, code: str) -> None:
    expires_at = format_time(client.expires_at)
    client.tell({"type": "auth", "code": code, "expires_at": expires_at})
