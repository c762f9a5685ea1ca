"""Valkey as a cache: quotes, sessions, rate limits and user channels. It may be lost at any time.

Invariant: nothing waits on it longer than the timeouts below, and every failure of the driver
leaves as Retryable, so a caller decides by name whether to answer from the ledger or to refuse.
"""

import contextlib
from collections.abc import Iterator

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.domain.errors import Retryable

#: The client that `open_valkey` returns; values and channel payloads are bytes.
Valkey = redis.Redis

CONNECT_TIMEOUT_SECONDS = 0.25
ANSWER_TIMEOUT_SECONDS = 0.5
_HEALTH_CHECK_SECONDS = 15
_CONNECTIONS_MAX = 4  # an invocation uses one; a process is one invocation at a time


def open_valkey(
    url: str,
    *,
    answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS,
    connections_max: int = _CONNECTIONS_MAX,
) -> Valkey:
    """A client that connects when first used: `redis://[:PASSWORD@]HOST:PORT/N` or `rediss://`.

    A command is tried once more on a fresh connection, because an idle one may have been closed.
    Commands must therefore be safe to repeat.
    """
    if not url.startswith(("redis://", "rediss://")):
        raise ValueError("a Valkey address is redis://[:PASSWORD@]HOST:PORT/N")
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=answer_timeout_seconds,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=_HEALTH_CHECK_SECONDS,
        max_connections=connections_max,
        decode_responses=False,
        protocol=3,
    )


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Turns a failure of the driver inside the block into Retryable."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise Retryable(f"the cache did not answer: {type(error).__name__}") from error
