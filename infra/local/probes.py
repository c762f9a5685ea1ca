"""Asking a part whether it can do its work now.

Invariant: a probe answers within its time limit and never raises; silence is "no".
"""

import asyncio
from collections.abc import Awaitable, Callable

from infra.local.ports import LOOPBACK

#: True when the part is ready, and what it says of itself otherwise.
Verdict = tuple[bool, str]
Probe = Callable[[], Awaitable[Verdict]]

LIMIT_SECONDS = 2.0
_ANSWER_MOST = 4096


def http_probe(port: int, path: str = "/health") -> Probe:
    """Ready when the path answers 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> Verdict:
        answer = await _exchange(port, request)
        head, _, body = answer.partition("\r\n\r\n")
        status = head.split(" ", 2)[1] if head.startswith("HTTP/1.") else ""
        return status == "200", body.strip() if head else "does not answer"

    return probe


def valkey_probe(port: int, password: str) -> Probe:
    """Ready when PING is answered; a server still loading its files says so instead."""
    request = f"AUTH {password}\r\nPING\r\n".encode()

    async def probe() -> Verdict:
        answer = await _exchange(port, request, until=b"PONG\r\n")
        return answer.endswith("PONG\r\n"), answer.strip() or "does not answer"

    return probe


def blocking_probe(ask: Callable[[], bool]) -> Probe:
    """Ready when `ask`, run on a thread, says so."""

    async def probe() -> Verdict:
        try:
            ready = await asyncio.wait_for(asyncio.to_thread(ask), LIMIT_SECONDS)
        except TimeoutError:
            ready = False
        return ready, "" if ready else "does not answer"

    return probe


async def _exchange(port: int, request: bytes, until: bytes | None = None) -> str:
    """What the port answers, up to `until` or its end; empty when it does not."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request)
                if until is None:
                    return (await reader.read(_ANSWER_MOST)).decode(errors="replace")
                return (await reader.readuntil(until)).decode(errors="replace")
            finally:
                writer.close()
    except asyncio.IncompleteReadError as cut:
        return cut.partial.decode(errors="replace")
    except (OSError, TimeoutError):
        return ""
