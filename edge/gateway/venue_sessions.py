"""Which FIX sessions the gateway holds at the venue.

Invariant: a session's number (0-based) is its place in the list, which decides the symbols whose
orders it carries; its name at the venue and its version of FIX never change.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from functions.shared.settings import SettingsError

VENUE: Final = "XNSE"
FIX44, FIX42 = "FIX.4.4", "FIX.4.2"


class VenueSession(NamedTuple):
    """`name` is our SenderCompID(49); `tls`: over TLS, to an address of its own."""

    name: str
    version: str = FIX44
    tls: bool = False


DROP_COPY: Final = VenueSession("OUTCRY-D1")


def order_sessions(count: int, told: Sequence[str] = ()) -> tuple[VenueSession, ...]:
    """The order sessions by number: those of `told`, each `NAME`, `NAME:VERSION` or
    `NAME:VERSION:tls`, or without any `OUTCRY-O1`, `OUTCRY-O2`, ... in FIX 4.4.

    Raises SettingsError when they are not `count`.
    """
    sessions = tuple(_session(text) for text in told or [f"OUTCRY-O{n + 1}" for n in range(count)])
    if len({session.name for session in sessions}) != count:
        raise SettingsError(f"OUTCRY_FIX_SESSIONS does not name {count} different order sessions")
    return sessions


def _session(text: str) -> VenueSession:
    name, version, tls = (*text.split(":"), "", "")[:3]
    session = VenueSession(name, version or FIX44, tls == "tls")
    known = session.version in {FIX44, FIX42} and tls in {"", "tls"} and text.count(":") <= 2
    if not name or not known:
        raise SettingsError(
            f"OUTCRY_FIX_SESSIONS: {text!r} is not NAME, NAME:{FIX42} or NAME:{FIX44}:tls"
        )
    return session


class Venue(NamedTuple):
    """Where the venue is: HOST and PORT of its sessions, and of those over TLS with the folder of
    our cert.pem, key.pem and the ca.pem that its certificate is of."""

    plain: tuple[str, int]
    secure: tuple[str, int] | None = None
    certificates: Path | None = None
