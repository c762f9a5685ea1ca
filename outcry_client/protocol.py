"""The stream's JSON protocol without any I/O: what a client says, and what it makes of the answers.

Invariant: account events leave `UserSequence` in the order of the account's events, each once.
Prices are last values and may be skipped; account events never are.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from outcry_client.limits import DEFAULTS

SUBPROTOCOL = "outcry.v1.json"


class Numbered(Protocol):
    """An account event carries its place in the account's sequence."""

    @property
    def user_seq(self) -> int: ...


PriceT = TypeVar("PriceT")
EventT = TypeVar("EventT", bound=Numbered)


class PeerProtocolError(Exception):
    """The broker sent what its contract rules out; the connection is closed and made again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An `error`, `market`, `portfolio`, `draining` or other message that is neither a price nor an
    event of the account. `fields` is the whole object."""

    kind: str
    code: str = ""
    message: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def notice(message: Mapping[str, Any]) -> Notice:
    """Read any object as a notice."""
    code, text = str(message.get("code", "")), str(message.get("message", ""))
    return Notice(str(message.get("type", "")), code, text, message)


@dataclass(frozen=True, slots=True)
class Received(Generic[PriceT, EventT]):
    """One WebSocket message, sorted. With `reload` a resume can't be answered any more: the account
    is to be loaded afresh."""

    quotes: Sequence[PriceT] = ()
    account: Sequence[EventT] = ()
    reload: bool = False
    notices: Sequence[Notice] = ()


def subscribe(symbols: Iterable[str], mode: str = "quote") -> str:
    """Ask for prices of `symbols`; the answer starts with a snapshot of each."""
    return _action(action="subscribe", symbols=sorted(symbols), mode=mode)


def unsubscribe(symbols: Iterable[str]) -> str:
    """Stop prices of `symbols`."""
    return _action(action="unsubscribe", symbols=sorted(symbols))


def resume(seq: int) -> str:
    """Ask for the account events after `seq`."""
    return _action(action="resume", seq=seq)


def authenticate(token: str) -> str:
    """Sign in, or extend a connection that is signed in already."""
    return _action(action="auth", token=token)


def ping(number: int) -> str:
    """Show the broker that the client is alive."""
    return _action(action="ping", id=number)


def _action(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


class UserSequence(Generic[EventT]):
    """Puts account events back into the order of the account's events.

    Events at or below `last` are duplicates and dropped. Events past a gap are held, at most
    `held_events` of them, until a resume has brought what is missing.
    """

    def __init__(self, last: int, held_events: int = DEFAULTS.held_events) -> None:
        self.last = last
        self._most = held_events
        self._held: dict[int, list[EventT]] = {}
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

    def accept(self, events: Sequence[EventT]) -> list[EventT]:
        """Take the account events of one message; return those that are now due, in order."""
        groups: dict[int, list[EventT]] = {}
        for event in events:
            groups.setdefault(event.user_seq, []).append(event)
        for seq, group in groups.items():
            if seq > self.last:
                self._held.setdefault(seq, group)
        if len(self._held) > self._most:
            self.overflowed = True
            self._held.clear()
        due: list[EventT] = []
        while (group := self._held.pop(self.last + 1, [])) != []:
            due.extend(group)
            self.last += 1
        return due


class AfterClose(Enum):
    """What a client does when its connection has ended."""

    RECONNECT = "reconnect"
    BACK_OFF = "back off"
    REFRESH = "refresh"
    SIGNED_OUT = "signed out"
    REPLACED = "replaced"


def after_close(code: int) -> AfterClose:
    """Read the broker's close code (protocol.md's list; RFC 6455 section 7.4 for the rest).

    What would be so again on the next connection is tried again at growing pauses, however much was
    heard on this one.
    """
    match code:
        case 4001:
            return AfterClose.SIGNED_OUT
        case 4004:
            return AfterClose.REFRESH
        case 4003:
            return AfterClose.REPLACED
        case 1002 | 1007 | 1008 | 1009 | 4008:
            return AfterClose.BACK_OFF
        case _:
            return AfterClose.RECONNECT
