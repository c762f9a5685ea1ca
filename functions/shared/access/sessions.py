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
from datetime import datetime
from typing import Final

from functions.shared.access.challenges import Challenge, challenge_digest, code_digest
from functions.shared.access.daily_logout import SessionEnd
from functions.shared.access.principal import Mode
from functions.shared.access.throttle import Take, refuse_waiting
from functions.shared.access.tokens import LIFETIME
from functions.shared.domain.errors import NotFound, Refused, Retryable
from functions.shared.stores.postgres import Database, Shards
from functions.shared.stores.valkey import Valkey, answering

CACHED_SECONDS: Final = 30
#: Channel on which an ended session's id is published; connections of the session are closed.
ENDED_CHANNEL: Final = "sessions.ended"
_REFRESH_BYTES: Final = 32
#: When to come back once the day's challenges are used up: they come back one by one.
_SPENT_SECONDS: Final = 3_600
_ALIVE: Final = b"1"
_ENDED: Final = b"0"


@dataclass(frozen=True, slots=True)
class Session:
    """A session, what its tokens say of the user, and until when at most."""

    session_id: str
    user_id: int
    roles: tuple[str, ...]
    mode: Mode
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as its owner sees it in the list. `device_first_seen`: None when that device was
    forgotten since."""

    session_id: str
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    network: str
    country: str | None
    device_first_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a login comes from: its network (see throttle.network_of), country and device token's
    digest."""

    network: str
    country: str | None
    device: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Opening:
    """What a session is opened with. Its id and token are made before it is, so that asking twice
    opens one."""

    session_id: str
    refresh: str
    end: SessionEnd

    @classmethod
    def new(cls, region: str, end: SessionEnd) -> "Opening":
        """The refresh token names the region."""
        return cls(str(uuid.uuid4()), _new_refresh(region), end)


class ReusedToken(Refused):
    """A refresh token came twice. `first`: its session was live, and ended now."""

    def __init__(self, user_id: int, *, first: bool) -> None:
        super().__init__(401, "REFRESH_REUSED", "the token was used before; log in again")
        self.user_id = user_id
        self.first = first


class Sessions:
    """The sessions of every user. Not for two threads at once (see Database)."""

    def __init__(self, database: Database, valkey: Valkey) -> None:
        self._database = database
        self._valkey = valkey

    def log_in(
        self,
        user_id: int,
        factors: bytes,
        opening: Opening,
        arrival: Arrival,
        challenge: Challenge,
        now: datetime,
    ) -> Session | None:
        """For someone whose password and one-time code were right, `factors` being of those (see
        accounts.Login): opens the session; None: it is held until the challenge is answered.

        Raises Refused 429 when the day's challenges are used up, 401 for who is gone meanwhile, or
        was right by what counts no more.
        """
        rows = self._database.run(
            "SELECT outcome, roles, mode FROM identity.log_in(:user::bigint, :factors::bytea,"
            " :sid::uuid, :refresh::bytea, :now::timestamptz, :ends::timestamptz,"
            " :logout::timestamptz, :network::text, :country::text, :device::bytea,"
            " :challenge::bytea, :code::bytea, :challenge_ends::timestamptz)",
            user=user_id,
            factors=factors,
            sid=opening.session_id,
            refresh=token_digest(opening.refresh),
            now=now,
            ends=opening.end.expires_at,
            logout=opening.end.logout_at,
            network=arrival.network,
            country=arrival.country,
            device=arrival.device,
            challenge=challenge.digest,
            code=challenge.code_digest,
            challenge_ends=challenge.expires_at,
        )
        outcome, roles, mode = rows[0]
        if outcome == "SPENT":
            raise Refused(
                429,
                "TOO_MANY_REQUESTS",
                "too many held logins today",
                retry_after_seconds=_SPENT_SECONDS,
            )
        if outcome == "GONE":
            raise Refused(401, "INVALID_CREDENTIALS", "the account or its password has changed")
        if outcome == "HELD":
            return None
        return Session(opening.session_id, user_id, tuple(roles), mode, opening.end.expires_at)

    def answer_challenge(
        self,
        challenge_id: str,
        code: str,
        opening: Opening,
        network: str,
        device: bytes,
        now: datetime,
    ) -> Session:
        """Opens the session that was held.

        Raises Refused 401: CHALLENGE_WRONG with `tries_left`, CHALLENGE_ENDED.
        """
        rows = self._database.run(
            "SELECT outcome, tries_left, user_id, roles, mode FROM identity.answer_challenge("
            ":challenge::bytea, :code::bytea, :sid::uuid, :refresh::bytea, :now::timestamptz,"
            " :ends::timestamptz, :logout::timestamptz, :network::text, :device::bytea)",
            challenge=challenge_digest(challenge_id),
            code=code_digest(challenge_id, code),
            sid=opening.session_id,
            refresh=token_digest(opening.refresh),
            now=now,
            ends=opening.end.expires_at,
            logout=opening.end.logout_at,
            network=network,
            device=device,
        )
        outcome, tries_left, user_id, roles, mode = rows[0]
        if outcome == "WRONG":
            detail = f"the mailed code is not right; {tries_left} tries are left"
            raise Refused(401, "CHALLENGE_WRONG", detail, tries_left=tries_left)
        if outcome != "OPENED":
            raise Refused(401, "CHALLENGE_ENDED", "the held login is over; log in again")
        return Session(opening.session_id, user_id, tuple(roles), mode, opening.end.expires_at)

    def refresh(
        self, token: str, now: datetime, business: datetime, network: str
    ) -> tuple[Session, str]:
        """Uses up a refresh token for the next one. `business`: by the business clock, past whose
        daily logout no session is renewed.

        Raises Refused 401: REFRESH_INVALID for one that is unknown or whose session has ended,
        REFRESH_REUSED for one used before, which ends its session (RFC 9700, 4.14.2).
        """
        following = _new_refresh(region_of_refresh(token))
        rows = self._database.run(
            "SELECT outcome, ended, session_id::text, user_id, roles, mode, expires_at FROM"
            " identity.rotate_refresh(:hash::bytea, :next::bytea, :now::timestamptz,"
            " :business::timestamptz, :network::text)",
            hash=token_digest(token),
            next=token_digest(following),
            now=now,
            business=business,
            network=network,
        )
        outcome, ended, session_id, user_id, roles, mode, expires_at = rows[0]
        if outcome == "REUSED":
            self._announce_end(session_id)
            raise ReusedToken(user_id, first=ended)
        if outcome != "ROTATED":
            raise Refused(401, "REFRESH_INVALID", "log in again")
        return Session(session_id, user_id, tuple(roles), mode, expires_at), following

    def end(self, session_id: str, user_id: int, now: datetime, by: str, network: str) -> None:
        """Ends a user's session, everywhere, before it returns; ending it again does it again.
        `by`: the session that asks, from that network.

        Raises NotFound when the user has no such session, Retryable when its end could not be
        made known: it has ended, but must be ended again.
        """
        try:
            session = str(uuid.UUID(session_id))
        except ValueError:
            raise NotFound("you have no such session") from None
        rows = self._database.run(
            "SELECT identity.end_session(:sid::uuid, :user::bigint, :now::timestamptz, :by::uuid,"
            " :network::text)",
            sid=session,
            user=user_id,
            now=now,
            by=by,
            network=network,
        )
        if not rows[0][0]:
            raise NotFound("you have no such session")
        self._announce_end(session)

    def end_others(self, user_id: int, keep: str | None, now: datetime) -> None:
        """Ends each session of a user but one, everywhere, as a changed factor asks (ASVS 7.4.3).

        Raises Retryable when the ends could not be made known: they have ended in the ledger.
        """
        rows = self._database.run(
            "SELECT identity.end_sessions(:user::bigint, :keep::uuid, :now::timestamptz)::text[]",
            user=user_id,
            keep=keep,
            now=now,
        )
        self.announce_ends(rows[0][0])

    def announce_ends(self, session_ids: Sequence[str]) -> None:
        """Ends the copies and sockets of sessions that the ledger has ended. Raises Retryable."""
        for session_id in session_ids:
            self._announce_end(session_id)

    def live(self, user_id: int, now: datetime) -> list[SessionRow]:
        """The user's live sessions, the newest first (at most 100)."""
        rows = self._database.run(
            "SELECT s.session_id::text, s.created_at, s.refreshed_at, s.expires_at, s.network,"
            " s.country, d.first_seen FROM identity.session s LEFT JOIN identity.device d"
            " ON d.user_id = s.user_id AND d.digest = s.device"
            " WHERE s.user_id = :user::bigint AND s.ended_at IS NULL"
            " AND s.expires_at > :now::timestamptz ORDER BY s.created_at DESC LIMIT 100",
            user=user_id,
            now=now,
        )
        return [SessionRow(*row) for row in rows]

    def is_alive(self, session_id: str, now: datetime) -> bool:
        """Whether a session still counts. Raises Retryable when no store can tell."""
        return session_id in self.alive([session_id], now)

    def alive(
        self, session_ids: Sequence[str], now: datetime, takes: Sequence[Take] = ()
    ) -> set[str]:
        """Those of the sessions that still count, by one question to each store however many they
        are. Raises Refused 429 when one of `takes` finds its bucket empty (not while Valkey is
        away), Retryable when no store can tell."""
        try:
            with answering(), self._valkey.pipeline(transaction=False) as pipeline:
                for session_id in session_ids:
                    pipeline.get(_key(session_id))
                for take in takes:
                    take.ask(pipeline)
                answers = pipeline.execute()
        except Retryable:
            return self._alive_in_the_ledger(session_ids, now)
        refuse_waiting(answers[len(session_ids) :])
        states = dict(zip(session_ids, answers, strict=False))
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


def forget_sessions(shards: Shards, now: datetime, most: int) -> int:
    """Those over for thirty days, with their refresh tokens; how many. Raises Retryable."""
    rows = shards.control.run(
        "SELECT identity.forget_sessions(:at::timestamptz, :most::integer)", at=now, most=most
    )
    return int(rows[0][0])


def region_of_refresh(token: str) -> str:
    """The region whose session a refresh token belongs to."""
    return token.partition(".")[0]


def _new_refresh(region: str) -> str:
    return f"{region}.{entropy.token_urlsafe(_REFRESH_BYTES)}"


def _key(session_id: str) -> str:
    return f"session:{session_id}"


def token_digest(token: str) -> bytes:
    """What is stored of a refresh token."""
    return hashlib.sha256(token.encode()).digest()
