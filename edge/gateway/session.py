"""The FIX order sessions: QuickFIX behind a few plain methods.

Invariant: a callback only enqueues, and no Python error leaves one (the engine ends the process on
it): ours stops the process the orderly way, and the venue tells us the message again. A session
logs on only after its next expected number was set from the checkpoint, so whatever the engine's
own store says, the venue sends again all that is not yet applied in the ledger. Nothing leaves and
nothing is taken to be sent while the sessions' lease is not held.

The engine validates framing, CompIDs and times; it has no data dictionary, because a message it
refused by one would use up its number and never reach us. `translate` judges the content.

Each call into the engine gives the interpreter lock away and waits for it again, behind the other
threads; so a message crosses as one string, whole, and is looked at on this side.
"""

import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import quickfix

from edge.gateway import fix42
from edge.gateway.inbox import Inbox, Received, SessionDown
from edge.gateway.message_log import MessageLog
from edge.gateway.metrics import GatewayMetrics
from edge.gateway.translate import Fields
from edge.gateway.venue_sessions import FIX42, VENUE, Venue, VenueSession
from edge.runtime.log import logger
from functions.shared.domain.errors import InvariantViolated
from functions.shared.settings import SettingsError

HEARTBEAT_SECONDS = 10
#: A clean logout is waited for that long; then the connections are dropped.
LOGOUT_SECONDS = 2.0

_NEVER_REPLAYED = frozenset("DFGH")
#: What of a message decides here, in the header as the engine writes it.
_MSG_TYPE = re.compile(r"\x0135=([^\x01]+)\x01")
_MSG_SEQ_NUM = re.compile(r"\x0134=([0-9]+)\x01")
_SENDER_COMP_ID = re.compile(r"\x0149=([^\x01]+)\x01")
_TARGET_COMP_ID = re.compile(r"\x0156=([^\x01]+)\x01")
_POSSIBLE_DUPLICATE = "\x0143=Y\x01"
_BEGINS_ANEW = "\x01141=Y\x01"
_SEQUENCE_TOO_LOW = re.compile(r"\x0158=[^\x01]*MsgSeqNum too low, expecting ([0-9]{1,12})\b")
_LOGON, _LOGOUT = "A", "5"

P = ParamSpec("P")


def engine_settings(
    host: str,
    port: int,
    state: Path,
    sessions: Sequence[VenueSession],
    certificates: Path | None = None,
    heartbeat_seconds: int = HEARTBEAT_SECONDS,
) -> str:
    """QuickFIX's configuration. One session of a day without end: numbers live for ever.
    `certificates`: the folder of cert.pem, key.pem and ca.pem, for sessions over TLS."""
    defaults = {
        "ConnectionType": "initiator",
        "TargetCompID": VENUE,
        "SocketConnectHost": host,
        "SocketConnectPort": port,
        "SocketNodelay": "Y",
        "HeartBtInt": heartbeat_seconds,
        "ReconnectInterval": 1,
        "LogonTimeout": 5,
        "LogoutTimeout": 2,
        "NonStopSession": "Y",
        "StartTime": "00:00:00",
        "EndTime": "00:00:00",
        "UseDataDictionary": "N",
        "ResetOnLogon": "N",
        "ResetOnLogout": "N",
        "ResetOnDisconnect": "N",
        # What an order session sends is never sent again: a gap is filled over it.
        "PersistMessages": "N",
        "FileStorePath": state,
    }
    if certificates is not None:
        defaults |= {
            "ClientCertificateFile": certificates / "cert.pem",
            "ClientCertificateKeyFile": certificates / "key.pem",
            "CertificationAuthoritiesFile": certificates / "ca.pem",
            "CertificateVerifyLevel": 2,
            "SSLProtocol": "TLSv1_2 TLSv1_3",
        }
    lines = ["[DEFAULT]", *(f"{name}={value}" for name, value in defaults.items())]
    for session in sessions:
        lines += ["[SESSION]", f"SenderCompID={session.name}", f"BeginString={session.version}"]
    return "\n".join(lines) + "\n"


def _firewall(
    callback: "Callable[Concatenate[_Application, P], None]",
) -> "Callable[Concatenate[_Application, P], None]":
    def guarded(self: "_Application", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except quickfix.DoNotSend:
            raise
        except Exception:  # noqa: BLE001 - whatever leaves a callback kills the process unsaid
            logger(__name__).exception("a FIX callback failed", callback=callback.__name__)
            self.failed()

    return guarded


class _Application(quickfix.Application):  # type: ignore[misc]
    """QuickFIX's seven callbacks."""

    def __init__(self, sessions: "FixSessions", failed: Callable[[], None]) -> None:
        super().__init__()
        self._sessions = sessions
        self.failed = failed

    @_firewall
    def onCreate(self, session_id: Any) -> None:  # noqa: N802 - QuickFIX's name
        pass

    @_firewall
    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        self._sessions.on_logon(self._sessions.number(session_id))

    @_firewall
    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        self._sessions.on_logout(self._sessions.number(session_id))

    @_firewall
    def toAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        self._sessions.on_send(message.toString())

    @_firewall
    def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        # A resend by the session layer would send a stale order live. The engine keeps none for it
        # (PersistMessages) and fills the gap; were that set again, this would still stop it. The
        # sweep asks the venue what it knows.
        raw = message.toString()
        if _POSSIBLE_DUPLICATE in raw and _kind(raw) in _NEVER_REPLAYED:
            raise quickfix.DoNotSend
        self._sessions.on_send(raw)

    @_firewall
    def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        self._sessions.on_message(message.toString(), administrative=True)

    @_firewall
    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        self._sessions.on_message(message.toString(), administrative=False)


class FixSessions:
    """The sessions of one task. Raises quickfix.ConfigError and SettingsError for unusable
    settings."""

    def __init__(
        self,
        venue: Venue,
        state: Path,
        sessions: Sequence[VenueSession],
        inbox: Inbox,
        metrics: GatewayMetrics,
        message_log: MessageLog,
        failed: Callable[[], None],
        held: Callable[[], bool],
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
    ) -> None:
        self._lines = tuple(sessions)
        self._held = held
        self.names = tuple(session.name for session in sessions)
        self.changed = threading.Event()
        self._inbox = inbox
        self._metrics = metrics
        self._logged_on: set[int] = set()
        self._sender_expected: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._began_anew: set[int] = set()
        self._log = message_log
        self._watchers: list[Callable[[int, bool], None]] = []
        self._sending: list[Callable[[int, str], None]] = []
        self._ids = [quickfix.SessionID(s.version, s.name, VENUE) for s in sessions]
        self._numbers = {each.toString(): number for number, each in enumerate(self._ids)}
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._application = _Application(self, failed)
        # The engine keeps no reference to what it is made of that Python's collector would see.
        self._parts: list[object] = []
        self._initiators: list[Any] = []
        # A thread a connection: after a logout that this side began, SocketInitiator (1.16.0) keeps
        # the dead connection and never connects that session again.
        plain = [session for session in sessions if not session.tls]
        if plain:
            text = engine_settings(*venue.plain, state, plain, heartbeat_seconds=heartbeat_seconds)
            self._add(state / "sessions.cfg", text, quickfix.ThreadedSocketInitiator)
        secure = [session for session in sessions if session.tls]
        if secure:
            if venue.secure is None or venue.certificates is None:
                raise SettingsError("OUTCRY_VENUE_ORDERS_TLS and OUTCRY_FIX_TLS are both needed")
            text = engine_settings(
                *venue.secure, state, secure, venue.certificates, heartbeat_seconds
            )
            self._add(state / "tls-sessions.cfg", text, quickfix.ThreadedSSLSocketInitiator)
        for number in range(len(sessions)):
            self.log_out(number, "waiting for the checkpoint")

    def _add(self, configuration: Path, text: str, initiator: Any) -> None:
        configuration.write_text(text)
        settings = quickfix.SessionSettings(str(configuration))
        store = quickfix.FileStoreFactory(settings)
        self._parts += [settings, store]
        self._initiators.append(initiator(self._application, store, settings))

    def watch(self, watcher: Callable[[int, bool], None]) -> None:
        """Calls `watcher` after each logon (True) and logout, on the engine's thread: it must only
        take a note. Call this before `start`."""
        self._watchers.append(watcher)

    def watch_sent(self, watcher: Callable[[int, str], None]) -> None:
        """Calls `watcher` with each order message as it leaves, under the engine's lock: it must
        only take a note. Call this before `start`."""
        self._sending.append(watcher)

    def number(self, session_id: Any) -> int:
        """Which of our sessions the engine speaks of."""
        return self._numbers[session_id.toString()]

    def start(self) -> None:
        """Connects the sessions that were resumed, and keeps them connected."""
        for initiator in self._initiators:
            initiator.start()

    def resume(self, session: int, expected: int) -> None:
        """Lets a session log on, with `expected` as the next number it wants from the venue."""
        engine = quickfix.Session.lookupSession(self._ids[session])
        sender = self._sender_expected.pop(session, None)
        if sender is not None:
            # Our store was lost; the venue says where our numbers stand. What it has of ours it
            # has, and what it hasn't is swept.
            engine.setNextSenderMsgSeqNum(sender)
        self._fresh = self._fresh - {session} | (self._began_anew & {session})
        self._began_anew.discard(session)
        engine.setNextTargetMsgSeqNum(expected)
        engine.logon()
        self._metrics.resumed.labels(self.names[session]).inc()

    def began_anew(self, session: int) -> bool:
        """Whether the venue's numbers were found to have begun at 1 again since it was resumed."""
        return session in self._began_anew

    def log_out(self, session: int, reason: str) -> None:
        """Logs a session out; SessionDown follows in the inbox if it was on."""
        quickfix.Session.lookupSession(self._ids[session]).logout(reason)

    def logged_on(self) -> list[int]:
        """Those that may be sent on."""
        return sorted(self._logged_on) if self._held() else []

    def numbers(self, session: int) -> tuple[int, int]:
        """MsgSeqNum of our next message, and the one expected from the venue."""
        engine = quickfix.Session.lookupSession(self._ids[session])
        return int(engine.getExpectedSenderNum()), int(engine.getExpectedTargetNum())

    def send(self, session: int, fields: Fields) -> bool:
        """Hands a message to the engine; False when the session is not logged on, or may be
        another process's."""
        if session not in self._logged_on or not self._held():
            return False
        version = self._lines[session].version
        if version == FIX42:
            fields = fix42.outgoing(fields)
        message = quickfix.Message(whole_message(version, fields), False)
        return bool(quickfix.Session.sendToTarget(message, self._ids[session]))

    def close(self) -> None:
        """Logs out, waits briefly for the venue's answer, and stops the engine."""
        for session in range(len(self.names)):
            self.log_out(session, "end of service")
        waited = threading.Event()
        for _ in range(int(LOGOUT_SECONDS / 0.02)):
            if not self._logged_on:
                break
            waited.wait(0.02)
        for initiator in self._initiators:
            initiator.stop(True)

    def on_logon(self, session: int) -> None:
        logger(__name__).info("logged on", session=self.names[session])
        self._logged_on.add(session)
        self._metrics.logged_on.labels(self.names[session]).set(1)
        self.changed.set()
        for watcher in self._watchers:
            watcher(session, True)

    def on_logout(self, session: int) -> None:
        logger(__name__).info("logged out", session=self.names[session])
        self._logged_on.discard(session)
        self._metrics.logged_on.labels(self.names[session]).set(0)
        for watcher in self._watchers:
            watcher(session, False)
        # Disabled at once, lest the engine reconnect before the checkpoint was asked.
        self.log_out(session, "waiting for the checkpoint")
        self._inbox.put_down(SessionDown(session))

    def on_send(self, raw: str) -> None:
        session = self._session_in(_SENDER_COMP_ID, raw)
        self._log.write(self.names[session], "OUT", raw)
        kind = _kind(raw)
        if kind in _NEVER_REPLAYED:
            for watcher in self._sending:
                watcher(session, raw)
        elif kind == _LOGOUT and _too_low(raw) is not None:
            self._began_anew.add(session)  # the engine ends a session whose numbers went back

    def on_message(self, raw: str, *, administrative: bool) -> None:
        session = self._session_in(_TARGET_COMP_ID, raw)
        self._log.write(self.names[session], "IN", raw)
        kind = _kind(raw)
        if kind == _LOGOUT and (sender := _too_low(raw)) is not None:
            self._sender_expected[session] = sender
        if kind == _LOGON and _BEGINS_ANEW in raw:
            self._on_reset(session)
        numbered = _MSG_SEQ_NUM.search(raw)
        if numbered is None:
            raise InvariantViolated("the engine hands on no message without MsgSeqNum(34)")
        item = Received(session, int(numbered[1]), administrative, raw, time.monotonic())
        if not self._inbox.put(item):
            logger(__name__).error("inbox full", session=self.names[session])
            self.log_out(session, "reports can't be handed on")

    def _session_in(self, our_name: re.Pattern[str], raw: str) -> int:
        """The session of a message: the engine lets none of another pass."""
        found = our_name.search(raw)
        if found is None:
            raise InvariantViolated("the engine hands on no message without CompIDs")
        return self.names.index(found[1])

    def _on_reset(self, session: int) -> None:
        """The engine has followed the venue; our count of what is applied has not, unless it just
        began."""
        if session not in self._fresh:
            self._began_anew.add(session)
            self.log_out(session, "the numbers began anew")


def whole_message(version: str, fields: Fields) -> str:
    """A message for the engine, which sets numbers, times, length and checksum. `fields`: MsgType
    first. Raises ValueError for a value that would end its field."""
    told = "".join(f"{tag}={value}\x01" for tag, value in fields)
    if told.count("\x01") != len(fields):
        raise ValueError(f"a field separator within a value: {told[:200]!r}")
    return f"8={version}\x019=0\x01{told}10=000\x01"


def _kind(raw: str) -> str:
    """MsgType(35); it is the third field of every message."""
    found = _MSG_TYPE.search(raw)
    return "" if found is None else found[1]


def _too_low(raw: str) -> int | None:
    """The number that whoever logs out had expected, when a lower one is why."""
    match = _SEQUENCE_TOO_LOW.search(raw)
    return None if match is None else int(match[1])
