"""The FIX order sessions: quickfix with a file store, around a callback that only hands over.

Invariant: no callback decides or waits for a decision, and none lets a Python exception out other
than those quickfix turns into a FIX reject: any other would end the process. Reports are given to
quickfix whether or not the broker is logged on: its store numbers and keeps them, and the broker
asks for them again when it comes back.
"""

import queue
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import quickfix as fix

from infra.exchange.fix42 import downgrade
from infra.exchange.inbox import AdminMessage, Inbox, OrderMessage
from infra.exchange.notices import MSG_TYPES, ListingNotice, Notice, PhaseNotice
from infra.exchange.reports import (
    CancelReject,
    ExecType,
    ExecutionReport,
    Fields,
    MassCancelReport,
    Report,
    cancel_reject_fields,
    execution_fields,
    mass_cancel_fields,
)
from infra.exchange.requests import MESSAGE_TYPES, tags
from infra.exchange.sessions import FIX42, BrokerSession, Purpose

_MSG_TYPE = re.compile(r"\x0135=([^\x01]+)\x01")
_MSG_SEQ_NUM = re.compile(r"\x0134=([0-9]+)\x01")

DICTIONARIES = Path(__file__).parents[1] / "fix"
HEARTBEAT_S = 10
LOGOUT_WAIT_S = 1.5


class PortError(Exception):
    """The order port cannot be opened."""


def report_body(report: Report) -> tuple[str, Fields]:
    """Return MsgType(35) and the FIX 4.4 body of a report."""
    match report:
        case ExecutionReport():
            return "8", execution_fields(report)
        case CancelReject():
            return "9", cancel_reject_fields(report)
        case MassCancelReport():
            return "r", mass_cancel_fields(report)


def encode(version: str, msg_type: str, fields: Fields, header: Fields | None = None) -> str:
    """Return a message for quickfix to complete: it sets the sums and the header, other than the
    tags of `header`.
    """
    if version == FIX42:
        fields = downgrade(msg_type, fields)
    told = "".join([f"{tag}={value}\x01" for tag, value in (*(header or ()), *fields)])
    return f"8={version}\x019=0\x0135={msg_type}\x01{told}10=000\x01"


class _Callbacks(fix.Application):  # type: ignore[misc]  # quickfix has no types
    """Called by quickfix's thread."""

    def __init__(self, inbox: Inbox, orders: frozenset[str]) -> None:
        super().__init__()
        self._inbox = inbox
        self._orders = orders
        self.logged_on: set[str] = set()
        self.refused = 0
        self.unnoted = 0

    def onCreate(self, session_id: Any) -> None:  # noqa: N802
        """Nothing to do: the sessions are prepared before the port opens."""

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        """Note who is there."""
        self.logged_on.add(session_id.getTargetCompID().getString())

    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        """Note who has gone."""
        self.logged_on.discard(session_id.getTargetCompID().getString())

    def toAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        """Hand over the number of a message that quickfix itself rejects (35=3)."""
        self._note_reject("3", message, session_id)

    def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        """Reports go out as they are, resent ones too; see `toAdmin` for quickfix's own rejects."""
        self._note_reject("j", message, session_id)

    def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        """Hand over the numbers that session messages took."""
        try:
            admin = _admin(session_id.getTargetCompID().getString(), message.toString())
        except (ValueError, KeyError):
            self.refused += 1
            return
        self._inbox.put(admin)

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        """Hand over an order message; refuse any other."""
        raw = message.toString()
        kind, sequence = _MSG_TYPE.search(raw), _MSG_SEQ_NUM.search(raw)
        if kind is None or sequence is None:
            raise fix.IncorrectDataFormat(58)
        session = session_id.getTargetCompID().getString()
        if kind[1] not in MESSAGE_TYPES or session not in self._orders:
            raise fix.UnsupportedMessageType
        self._inbox.put(OrderMessage(session, int(sequence[1]), raw))

    def _note_reject(self, msg_type: str, message: Any, session_id: Any) -> None:
        if message.getHeader().getField(35) == msg_type and message.isSetField(45):
            self.refused += 1
            number = int(message.getField(45))
            session = session_id.getTargetCompID().getString()
            # The session's lock is held here, so waiting for room could stop both threads.
            try:
                self._inbox.put_nowait(AdminMessage(session, number, number))
            except queue.Full:
                # Then a restart asks the broker for this number again, and rejects it again.
                self.unnoted += 1


def _admin(session: str, raw: str) -> AdminMessage:
    fields = tags(raw)
    kind, sequence = fields[35], int(fields[34])
    if kind == "4":
        last = int(fields[36]) - 1
        if fields.get(123) == "Y":
            return AdminMessage(session, sequence, last)
        return AdminMessage(session, sequence, last, reset=True)
    reset = kind == "A" and fields.get(141) == "Y"
    return AdminMessage(session, sequence, sequence, reset)


class Tls(NamedTuple):
    """A port of its own for the sessions that speak TLS. `folder` has cert.pem, key.pem and ca.pem;
    a broker needs a certificate of that authority.
    """

    port: int
    folder: Path
    sessions: frozenset[str]


class OrderPort:
    """The acceptor of all order sessions."""

    def __init__(
        self,
        *,
        venue: str,
        brokers: tuple[BrokerSession, ...],
        port: int,
        folder: Path,
        inbox: Inbox,
        tls: Tls | None = None,
    ) -> None:
        orders = frozenset(b.name for b in brokers if b.purpose is Purpose.ORDERS)
        self._callbacks = _Callbacks(inbox, orders)
        self._brokers = {broker.name: broker for broker in brokers}
        self._copies = [b for b in brokers if b.purpose is Purpose.DROP_COPY]
        self._sessions = {b.name: fix.SessionID(b.version, venue, b.name) for b in brokers}
        store = folder / "fix"
        store.mkdir(parents=True, exist_ok=True)
        secured = tls.sessions if tls else frozenset[str]()
        plain = tuple(b for b in brokers if b.name not in secured)
        # quickfix keeps no reference to what an acceptor is made of.
        self._parts: list[object] = []
        self._acceptors: list[tuple[int, Any]] = []
        text = _config(venue, plain, port, store)
        self._open(folder / "order-sessions.cfg", text, fix.SocketAcceptor, port)
        if tls:
            others = tuple(b for b in brokers if b.name in secured)
            text = _config(venue, others, tls.port, store, _tls_config(tls))
            self._open(folder / "tls-sessions.cfg", text, fix.SSLSocketAcceptor, tls.port)

    def _open(self, config: Path, text: str, acceptor: Any, port: int) -> None:
        config.write_text(text, encoding="utf-8")
        try:
            settings = fix.SessionSettings(str(config))
            stores = fix.FileStoreFactory(settings)
            self._acceptors.append((port, acceptor(self._callbacks, stores, settings)))
        except (fix.ConfigError, fix.RuntimeError, fix.IOException) as error:
            raise PortError(f"order sessions: {error}") from error
        self._parts += [settings, stores]

    def resume(self, received: dict[str, int]) -> None:
        """Set the expected numbers back to what was dealt with; call it before `start`."""
        for broker, through in received.items():
            session = fix.Session.lookupSession(self._sessions[broker])
            session.setNextTargetMsgSeqNum(min(session.getExpectedTargetNum(), through + 1))

    def without_a_past(self) -> list[str]:
        """The brokers whose session has sent nothing: they are new, or their store was lost."""
        return [
            name
            for name, session_id in self._sessions.items()
            if fix.Session.lookupSession(session_id).getExpectedSenderNum() == 1
        ]

    def start(self) -> None:
        """Open the ports; PortError when one is in use."""
        for port, acceptor in self._acceptors:
            try:
                acceptor.start()
            except (fix.ConfigError, fix.RuntimeError) as error:
                raise PortError(f"order sessions: port {port}: {error}") from error

    def send(self, report: Report, *, poss_resend: bool = False) -> None:
        """Number, store and send a report, and its drop copies. It is safe in the sessions' stores
        on return.
        """
        msg_type, fields = report_body(report)
        self._send(self._brokers[report.session], msg_type, fields, poss_resend=poss_resend)
        if isinstance(report, ExecutionReport) and report.exec_type is not ExecType.STATUS:
            for copy in self._copies:
                marked = [*fields, (797, "Y")]
                self._send(copy, msg_type, marked, poss_resend=poss_resend, of=report.session)

    def announce(self, notice: Notice) -> None:
        """Number, store and send an announcement to the sessions it is for. Listings are told on
        the market-data sessions alone.
        """
        if isinstance(notice, ListingNotice):
            return
        only = notice.session if isinstance(notice, PhaseNotice) else ""
        for broker in self._brokers.values():
            if only in {"", broker.name}:
                self._send(broker, MSG_TYPES[type(notice)], notice.fields())

    def _send(
        self,
        broker: BrokerSession,
        msg_type: str,
        fields: Fields,
        *,
        poss_resend: bool = False,
        of: str = "",
    ) -> None:
        header: Fields = [(57, of)] if of else []
        if poss_resend:
            header.append((97, "Y"))
        # Each call into quickfix gives the interpreter lock away: a message crosses whole.
        message = fix.Message(encode(broker.version, msg_type, fields, header), False)
        fix.Session.sendToTarget(message, self._sessions[broker.name])

    @property
    def logged_on(self) -> list[str]:
        """The brokers that are logged on."""
        return sorted(self._callbacks.logged_on)

    @property
    def refused(self) -> int:
        """How many messages were refused before the matching thread saw them."""
        return self._callbacks.refused

    def stop(self) -> None:
        """Log the brokers out and wait a moment for their answers.

        The port closes with the process: quickfix's own stop races with its socket thread and can
        crash, and its stores are up to date after every message anyway. A session that was logged
        out refuses to log on again.
        """
        for session_id in self._sessions.values():
            session = fix.Session.lookupSession(session_id)
            if session.isLoggedOn():
                session.logout("the venue closes")
        deadline = time.monotonic() + LOGOUT_WAIT_S
        while self._callbacks.logged_on and time.monotonic() < deadline:
            time.sleep(0.02)


def _tls_config(tls: Tls) -> list[str]:
    return [
        f"ServerCertificateFile={tls.folder / 'cert.pem'}",
        f"ServerCertificateKeyFile={tls.folder / 'key.pem'}",
        f"CertificationAuthoritiesFile={tls.folder / 'ca.pem'}",
        "CertificateVerifyLevel=2",
        "SSLProtocol=TLSv1_2 TLSv1_3",
    ]


def _config(
    venue: str,
    brokers: tuple[BrokerSession, ...],
    port: int,
    store: Path,
    more: Sequence[str] = (),
) -> str:
    lines = [
        "[DEFAULT]",
        "ConnectionType=acceptor",
        f"SenderCompID={venue}",
        f"SocketAcceptPort={port}",
        "SocketNodelay=Y",
        "SocketReuseAddress=Y",
        "AllowedRemoteAddresses=127.0.0.1",
        f"FileStorePath={store}",
        f"HeartBtInt={HEARTBEAT_S}",
        # Sequence numbers persist over days and restarts.
        "NonStopSession=Y",
        "ResetOnLogon=N",
        "ResetOnLogout=N",
        "ResetOnDisconnect=N",
        "PersistMessages=Y",
        "UseDataDictionary=Y",
        "ValidateUserDefinedFields=N",
        "TimestampPrecision=3",
        *more,
    ]
    for broker in brokers:
        dictionary = DICTIONARIES / f"{broker.version.replace('.', '')}.xml"
        lines += ["[SESSION]", f"TargetCompID={broker.name}", f"BeginString={broker.version}"]
        lines.append(f"DataDictionary={dictionary}")
    return "\n".join(lines) + "\n"
