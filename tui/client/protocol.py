"""The stream's JSON protocol without any I/O: text in, typed messages out.

Invariant: private events leave `UserSequence` in the order of the account's events, each once.
Quotes are last-value and may be skipped; private events never are.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from tui.client.models import (
    Alert,
    Fill,
    Funds,
    Holding,
    Order,
    OtherEvent,
    Plan,
    Position,
    PrivateEvent,
    Quote,
)

SUBPROTOCOL = "outcry.v1.json"
HELD_EVENTS_MAX = 1_000
"""Out-of-order events kept while a gap is filled; beyond it the account is loaded afresh."""

_PRIVATE: Mapping[str, type[PrivateEvent]] = {
    "order": Order,
    "fill": Fill,
    "funds": Funds,
    "holding": Holding,
    "position": Position,
    "plan": Plan,
    "alert": Alert,
    "event": OtherEvent,
}


class Notice(msgspec.Struct, frozen=True):
    """An `error`, `market`, `draining` or other message that is neither price nor account."""

    kind: str
    code: str = ""
    message: str = ""


class Staleness(msgspec.Struct, frozen=True):
    """The prices of `symbols` are not those of the market now (`stale`), or are again."""

    symbols: list[str]
    stale: bool


class AccountSnapshot(msgspec.Struct, frozen=True):
    """The answer to a resume beyond what the broker keeps: load the account afresh."""


class PeerProtocolError(Exception):
    """The broker sent what its contract rules out; the connection is closed and made again."""


StreamMessage = Quote | PrivateEvent | Notice | Staleness | AccountSnapshot


def decode(text: str | bytes) -> list[StreamMessage]:
    """Parse one WebSocket message, which holds one object or an array of them.

    Raises PeerProtocolError for anything that is not JSON objects of the published shapes.
    """
    try:
        body = msgspec.json.decode(text)
        objects: list[dict[str, Any]] = body if isinstance(body, list) else [body]
        return [_typed(each) for each in objects]
    except (msgspec.MsgspecError, AttributeError) as error:
        raise PeerProtocolError(str(error)) from error


def _typed(message: dict[str, Any]) -> StreamMessage:
    kind = message.get("type", "")
    if kind == "quote" or (kind == "snapshot" and "symbol" in message):
        return msgspec.convert(message, Quote)
    if kind == "stale":
        return msgspec.convert(message, Staleness)
    if kind in _PRIVATE:
        return _private(kind, message)
    if kind == "snapshot":
        return AccountSnapshot()
    if isinstance(message.get("user_seq"), int):
        # Of a kind that is newer than this terminal: without its number all after it would wait.
        return msgspec.convert(message, OtherEvent)
    return Notice(str(kind), str(message.get("code", "")), str(message.get("message", "")))


def _private(kind: str, message: dict[str, Any]) -> PrivateEvent:
    """An account event must carry its place in the sequence; without one it could not be ordered.

    A stream object's `type` names the object, so an order's own type stands in `order_type`.
    """
    if not isinstance(message.get("user_seq"), int):
        raise PeerProtocolError(f"{kind} without user_seq")
    if kind == "order":
        message = {**message, "type": message.get("order_type")}
    return msgspec.convert(message, _PRIVATE[kind])


def subscribe(symbols: Iterable[str], mode: str = "quote") -> str:
    """Ask for prices of `symbols`; the answer starts with a snapshot of each."""
    return _action(action="subscribe", symbols=sorted(symbols), mode=mode)


def unsubscribe(symbols: Iterable[str]) -> str:
    """Stop prices of `symbols`."""
    return _action(action="unsubscribe", symbols=sorted(symbols))


def resume(seq: int) -> str:
    """Ask for the private events after `seq`."""
    return _action(action="resume", seq=seq)


def authenticate(token: str) -> str:
    """Sign in, or extend a connection that is signed in already."""
    return _action(action="auth", token=token)


def ping(number: int) -> str:
    """Show the broker that the terminal is alive."""
    return _action(action="ping", id=number)


def _action(**fields: object) -> str:
    return msgspec.json.encode(fields).decode()


class UserSequence:
    """Puts private events back into the order of the account's events.

    Events at or below `last` are duplicates and dropped. Events past a gap are held, at most
    HELD_EVENTS_MAX of them, until a resume has brought what is missing.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        self._held: dict[int, list[PrivateEvent]] = {}
        self.overflowed = False

    @property
    def has_gap(self) -> bool:
        """Whether something later arrived while something earlier is missing."""
        return bool(self._held)

    def reset(self, last: int) -> None:
        """Start again after the account was loaded as of event `last`."""
        self.last = last
        self._held.clear()
        self.overflowed = False

    def accept(self, events: Sequence[PrivateEvent]) -> list[PrivateEvent]:
        """Take the private events of one message; return those that are now due, in order."""
        groups: dict[int, list[PrivateEvent]] = {}
        for event in events:
            groups.setdefault(event.user_seq, []).append(event)
        for seq, group in groups.items():
            if seq > self.last:
                self._held.setdefault(seq, group)
        if len(self._held) > HELD_EVENTS_MAX:
            self.overflowed = True
            self._held.clear()
        due: list[PrivateEvent] = []
        while (group := self._held.pop(self.last + 1, [])) != []:
            due.extend(group)
            self.last += 1
        return due


class AfterClose(Enum):
    """What a terminal does when its connection has ended."""

    RECONNECT = "reconnect"
    REFRESH = "refresh"
    SIGNED_OUT = "signed out"
    REPLACED = "replaced"


def after_close(code: int) -> AfterClose:
    """Read the broker's close code (the contract's list; RFC 6455 section 7.4 for the rest)."""
    match code:
        case 4001:
            return AfterClose.SIGNED_OUT
        case 4004:
            return AfterClose.REFRESH
        case 4003:
            return AfterClose.REPLACED
        case _:
            return AfterClose.RECONNECT
