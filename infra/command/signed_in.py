"""The command line's session: one login kept between commands, so that each needs no new code.

Invariant: the tokens are in OUTCRY_HOME, readable by its user alone (0600). A refresh token works
once: only the holder of the lock refreshes, and whoever waited for it takes what was written.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from infra.command.exits import NOT_REACHABLE, NOT_SIGNED_IN, REFUSED, WRONG_USAGE, Failure
from infra.command.place import running_stack
from infra.command.sign_in import sign_in
from infra.local.home import DemoUser, Home
from outcry_client import Api, RefusedError, Session, SignedOutError, Tokens, UnreachableError

_LOCK_SECONDS = 90.0
_LOCK_PAUSE = 0.05
T = TypeVar("T")


class KeptTokens(msgspec.Struct, frozen=True):
    """The file's content; `expires_at` is in Unix seconds."""

    api: str
    username: str
    access_token: str
    refresh_token: str
    expires_at: float

    @property
    def expires_in(self) -> int:
        """Seconds that are left, less than nothing once it ran out."""
        return int(self.expires_at - time.time())


class TokenFile:
    """The kept tokens of one user at one address of the API."""

    def __init__(self, folder: Path, api: str, username: str) -> None:
        self._folder, self._api, self._username = folder, api, username

    def read(self) -> KeptTokens | None:
        """None when there are none of this user at this address."""
        try:
            kept = msgspec.json.decode(
                (self._folder / "session.json").read_bytes(), type=KeptTokens
            )
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        return kept if (kept.api, kept.username) == (self._api, self._username) else None

    def write(self, tokens: Tokens) -> KeptTokens:
        """Replace them. The caller holds the lock. Raises OSError when the disk does."""
        kept = KeptTokens(
            api=self._api,
            username=self._username,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=time.time() + tokens.expires_in,
        )
        fresh = self._folder / "session.new"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
        fresh.replace(self._folder / "session.json")
        return kept

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep other commands from logging in or refreshing meanwhile. Raises Failure when one
        does so for longer than a login takes."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Failure("another command goes on signing in", NOT_SIGNED_IN) from None
                    await asyncio.sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(lock)


def signed_in(place: Home, work: Callable[[Api], Awaitable[T]]) -> T:
    """What `work` gives, called with the demo user's session on the running stack.

    Raises Failure, with the exit code of what the broker answered or did not.
    """
    stack, user = running_stack(place), place.read_demo_user()
    if user is None:
        raise Failure("there is no demo user yet; `outcry up` makes one", NOT_REACHABLE)
    file = TokenFile(place.path / "cli", stack.api, user.username)
    try:
        return asyncio.run(_work(stack.api, user, file, work))
    except RefusedError as refusal:
        raise Failure(refusal_text(refusal.problem), refusal_code(refusal.status)) from refusal
    except SignedOutError as error:
        raise Failure(f"signed out: {error}", NOT_SIGNED_IN) from error
    except UnreachableError as error:
        raise Failure(f"the broker does not answer: {error}", NOT_REACHABLE) from error


async def _work(
    url: str, user: DemoUser, file: TokenFile, work: Callable[[Api], Awaitable[T]]
) -> T:
    async with Api(url) as api:

        async def log_in() -> KeptTokens:
            return file.write(await asyncio.to_thread(sign_in, url, user))

        async def renew(refresh_token: str) -> Tokens:
            async with file.alone():
                kept = file.read()
                if kept is not None and kept.refresh_token != refresh_token:
                    return kept  # another command was faster
                try:
                    return file.write(await api.refresh(refresh_token))
                except SignedOutError:  # the daily logout, or a home that was emptied
                    return await log_in()

        async with file.alone():
            kept = file.read() or await log_in()
        api.session = Session(renew)
        api.session.begin(kept)
        return await work(api)


def refusal_code(status: int) -> int:
    """The exit code for the status of a refusal: 400 is what was typed, 401 the session."""
    if status == httpx.codes.BAD_REQUEST:
        return WRONG_USAGE
    return NOT_SIGNED_IN if status == httpx.codes.UNAUTHORIZED else REFUSED


def refusal_text(problem: Any) -> str:
    """The problem's code and detail, then each broken rule with its value and what is valid."""
    lines = [f"{problem.get('code', 'REFUSED')}: {problem.get('detail') or problem.get('title')}"]
    lines += [f"  {rule_text(rule)}" for rule in problem.get("rules") or ()]
    return "\n".join(lines)


def rule_text(rule: Any) -> str:
    """One broken rule on a line."""
    known = (("value", "asked"), ("limit", "valid"), ("nearest", "nearest"))
    facts = [f"{said} {rule[name]}" for name, said in known if rule.get(name) is not None]
    if rule.get("largest_quantity") is not None:
        facts.append(f"at most {rule['largest_quantity']} shares")
    tail = f" ({', '.join(facts)})" if facts else ""
    return f"{rule['code']}: {rule['message']}{tail}"
