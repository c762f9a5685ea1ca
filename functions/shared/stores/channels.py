"""Valkey channels: hints and pushes that may be lost, because what they carry is durable elsewhere.

Invariant: nobody relies on a message arriving. A subscriber that missed one finds it in the ledger.
All channels are sharded ones: on a cluster a message goes to its slot's node alone, and on a single
server it is the same command.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence

import redis

from functions.shared.domain.errors import Retryable
from functions.shared.stores.valkey import answering, node_serving, open_valkey

#: The channel on which functions say that a shard's outbox has rows; the payload is its number.
OUTBOX_HINT = "outbox"

_LISTEN_STEP_SECONDS = 0.25


class Channels:
    """Publishing, from any thread; listening, on a connection of its own."""

    def __init__(self, url: str, timeout_seconds: float = 0.2) -> None:
        self._client = open_valkey(url, answer_timeout_seconds=timeout_seconds)

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publishes (channel, payload) pairs in one round trip. Raises Retryable."""
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for channel, payload in messages:
                pipeline.spublish(channel, payload)
            pipeline.execute()

    def listen(self, channel: str, stop: threading.Event) -> Iterator[bytes]:
        """The payloads published on a channel until `stop`. Raises Retryable when cut off."""
        with answering():
            pool = node_serving(self._client, channel).connection_pool
        subscription = redis.client.PubSub(pool)
        try:
            with answering():
                subscription.ssubscribe(channel)
            while not stop.is_set():
                with answering():
                    message = subscription.get_message(timeout=_LISTEN_STEP_SECONDS)
                if message is None:
                    continue
                if message["type"] == "sunsubscribe":
                    raise Retryable("the channel has moved to another node")
                if message["type"] == "smessage":
                    yield message["data"]
        finally:
            with contextlib.suppress(redis.RedisError):  # it may be broken already
                subscription.close()

    def close(self) -> None:
        self._client.close()
