"""Valkey as a cache: quotes, sessions, rate limits and user channels. It may be lost at any time.

Invariant: nothing waits on it longer than the timeouts below, and every failure of the driver
leaves as Retryable, so a caller decides by name whether to answer from the ledger or to refuse.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.domain.errors import Retryable
from functions.shared.stores.valkey_address import Node, ValkeyAddress
from functions.shared.stores.valkey_cluster import ClusterValkey

#: The client that `open_valkey` returns; values and channel payloads are bytes. What it is asked
#: must also be right for a cluster: each command by its first key, channels by SPUBLISH.
Valkey = redis.Redis
Pipeline = redis.client.Pipeline

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
    """A client that connects when first used, of a server or a cluster (see valkey_address).

    A command is tried once more on a fresh connection, because an idle one may have been closed.
    Commands must therefore be safe to repeat.
    """
    address = ValkeyAddress.parse(url)
    options = {
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": answer_timeout_seconds,
        "health_check_interval": _HEALTH_CHECK_SECONDS,
        "max_connections": connections_max,
        "decode_responses": False,
        "protocol": 3,
    }
    if address.cluster:
        return ClusterValkey(address, partial(_open_node, address, options))
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 1), **options)


def node_serving(valkey: Valkey, key: str) -> redis.Redis:
    """A client of the one server that has a key or a sharded channel. Raises redis.RedisError
    when a cluster doesn't say which that is."""
    return valkey.node_serving(key) if isinstance(valkey, ClusterValkey) else valkey


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Turns a failure of the driver inside the block into Retryable."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise Retryable(f"the cache did not answer: {type(error).__name__}") from error


def _open_node(address: ValkeyAddress, options: dict[str, Any], node: Node) -> redis.Redis:
    """A client of one node of a cluster, which is not tried twice: its slots may be elsewhere."""
    return redis.Redis(**address.options(node), **options, retry=Retry(NoBackoff(), 0))
