"""Sessions: one per login, with a family of single-use refresh tokens. The truth is in PostgreSQL.

Invariant: a session that has ended never comes back. Valkey holds a copy for speed: alive copies
live for CACHED_SECONDS, and an end is written over them at once, so a revoked token is refused at
its next use. When Valkey doesn't answer, PostgreSQL is asked; when an end can't be written to it,
the caller hears Retryable and ends the session again.
"""

import hashlib
import secrets as entropy
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from functions.shared.access.principal import Mode
from functions.shared.access.tokens import LIFETIME
from functions.shared.domain.errors import NotFound, Refused, Retryable
from functions.shared.stores.postgres import Database
from functions.shared.stores.valkey import Valkey, answering

#: A session ends this long after its login, however often it is refreshed (ASVS 5.0, 7.3.2).
SESSION_LIFETIME: Final = timedelta(hours=12)
CACHED_SECONDS: Final = 30
#: Channel on which an ended session's id is published; connections of the session are closed.
ENDED_CHANNEL: Final = "sessions.ended"
_REFRESH_BYTES: Final = 32
_ALIVE: Final = b"1"
_ENDED: Final = b"0"


@dataclass(frozen=True, slots=True)
class Session:
    """A session and what its tokens say of the user."""

    session_id: str
    user_id: int
    roles: tuple[str, ...]
    mode: Mode


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as its owner sees it in the list."""

    session_id: str
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime


class Sessions:
    """The sessions of every user. Not for two threads at once (see Database)."""

    def __init__(self, database: Database, valkey: Valkey) -> None:
        self._database = database
        self._valkey = valkey

    def open(self, user_id: int, region: str, now: datetime) -> tuple[str, str]:
        """A new session: (session_id, its first refresh token, which names the region)."""
        session_id, refresh = str(uuid.uuid4()), _new_refresh(region)
        self._database.run(
            "SELECT identity.open_session(:sid::uuid, :user::bigint, :hash::bytea,"
            " :now::timestamptz, :ends::timestamptz)",
            sid=session_id,
            user=user_id,
            hash=_digest(refresh),
            now=now,
            ends=now + SESSION_LIFETIME,
        )
        return session_id, refresh

    def refresh(self, token: str, now: datetime) -> tuple[Session, str]:
        """Uses up a refresh token for the next one.

        Raises Refused 401: REFRESH_INVALID for one that is unknown or whose session has ended,
        REFRESH_REUSED for one used before, which ends its session (RFC 9700, 4.14.2).
        """
        following = _new_refresh(region_of_refresh(token))
        rows = self._database.run(
            "SELECT outcome, session_id::text, user_id, roles, mode FROM"
            " identity.rotate_refresh(:hash::bytea, :next::bytea, :now::timestamptz)",
            hash=_digest(token),
            next=_digest(following),
            now=now,
        )
        outcome, session_id, user_id, roles, mode = rows[0]
        if outcome == "REUSED":
            self._announce_end(session_id)
            raise Refused(401, "REFRESH_REUSED", "the token was used before; log in again")
        if outcome != "ROTATED":
            raise Refused(401, "REFRESH_INVALID", "log in again")
        return Session(session_id, user_id, tuple(roles), mode), following

    def end(self, session_id: str, user_id: int, now: datetime) -> None:
        """Ends a user's session, everywhere, before it returns; ending it again does it again.

        Raises NotFound when the user has no such session, Retryable when its end could not be
        made known: it has ended, but must be ended again.
        """
        try:
            session = str(uuid.UUID(session_id))
        except ValueError:
            raise NotFound("you have no such session") from None
        rows = self._database.run(
            "SELECT identity.end_session(:sid::uuid, :user::bigint, :now::timestamptz)",
            sid=session,
            user=user_id,
            now=now,
        )
        if not rows[0][0]:
            raise NotFound("you have no such session")
        self._announce_end(session)

    def live(self, user_id: int, now: datetime) -> list[SessionRow]:
        """The user's live sessions, the newest first (at most 100)."""
        rows = self._database.run(
            "SELECT session_id::text, created_at, refreshed_at, expires_at FROM identity.session"
            " WHERE user_id = :user::bigint AND ended_at IS NULL"
            " AND expires_at > :now::timestamptz ORDER BY created_at DESC LIMIT 100",
            user=user_id,
            now=now,
        )
        return [SessionRow(*row) for row in rows]

    def is_alive(self, session_id: str, now: datetime) -> bool:
        """Whether a session still counts. Raises Retryable when no store can tell."""
        return session_id in self.alive([session_id], now)

    def alive(self, session_ids: Sequence[str], now: datetime) -> set[str]:
        """Those of the sessions that still count, by one question to each store however many they
        are. Raises Retryable when no store can tell."""
        try:
            with answering(), self._valkey.pipeline(transaction=False) as pipeline:
                for session_id in session_ids:
                    pipeline.get(_key(session_id))
                states = dict(zip(session_ids, pipeline.execute(), strict=True))
        except Retryable:
            return self._alive_in_the_ledger(session_ids, now)
        alive = {session_id for session_id, state in states.items() if state == _ALIVE}
        if unknown := [session_id for session_id, state in states.items() if state is None]:
            found = self._alive_in_the_ledger(unknown, now)
            self._remember(found)
            alive |= found
        return alive

    def _alive_in_the_ledger(self, session_ids: Sequence[str], now: datetime) -> set[str]:
        rows = self._database.run(
            "SELECT session_id::text FROM identity.session WHERE session_id = ANY(:sids::uuid[])"
            " AND ended_at IS NULL AND expires_at > :now::timestamptz",
            sids=list(session_ids),
            now=now,
        )
        return {session_id for (session_id,) in rows}

    def _remember(self, session_ids: Collection[str]) -> None:
        if not session_ids:
            return
        try:
            with answering(), self._valkey.pipeline(transaction=False) as pipeline:
                for session_id in session_ids:
                    # NX: an end written since the ledger was read must stay.
                    pipeline.set(_key(session_id), _ALIVE, ex=CACHED_SECONDS, nx=True)
                pipeline.execute()
        except Retryable:
            return  # only a copy; the next request asks the ledger again

    def _announce_end(self, session_id: str) -> None:
        with answering():
            # Outlives every token of the session and every alive copy.
            self._valkey.set(_key(session_id), _ENDED, ex=int(LIFETIME.total_seconds()) + 60)
            self._valkey.spublish(ENDED_CHANNEL, session_id)


def region_of_refresh(token: str) -> str:
    """The region whose session a refresh token belongs to."""
    return token.partition(".")[0]


def _new_refresh(region: str) -> str:
    return f"{region}.{entropy.token_urlsafe(_REFRESH_BYTES)}"


def _key(session_id: str) -> str:
    return f"session:{session_id}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
