"""`python -m edge.relay.main`: one thread drains each shard, one listens for wake-up hints."""

import sys
import threading
from collections.abc import Sequence
from functools import partial

from prometheus_client import REGISTRY

from edge.relay.drain import Drain
from edge.relay.metrics import RelayMetrics
from edge.runtime.backoff import Backoff
from edge.runtime.health import serve_health
from edge.runtime.log import configure_logging, logger
from edge.runtime.threads import Threads
from functions.shared.domain.errors import Retryable
from functions.shared.settings import Settings
from functions.shared.stores.channels import OUTBOX_HINT, Channels
from functions.shared.stores.outbox import Outbox
from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import open_streams


class RelaySettings(Settings, frozen=True, kw_only=True):
    """What the relay reads at start."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    streams_url: str
    health: str
    order_sessions: int = 2


def listen_for_hints(channels: Channels, drains: Sequence[Drain], stop: threading.Event) -> None:
    """Wakes a shard's drain when a function says it committed; without hints the drains poll."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            for payload in channels.listen(OUTBOX_HINT, stop):
                backoff.reset()
                if payload.isdigit() and int(payload) < len(drains):
                    drains[int(payload)].wake.set()
        except Retryable as error:
            logger(__name__).warning("no wake-up hints", detail=str(error))
            if backoff.wait(stop):
                return


def main() -> int:
    settings = RelaySettings.from_environment()
    configure_logging("relay", settings.log_level)
    shards = Shards(settings.postgres_urls, "relay")
    channels = Channels(settings.valkey_url)
    streams = open_streams(settings.streams_url)
    metrics = RelayMetrics(REGISTRY)
    drains = [
        Drain(number, Outbox(database), streams, channels, settings.order_sessions, metrics)
        for number, database in enumerate(shards.databases)
    ]

    def state() -> tuple[bool, str]:
        states = [drain.state() for drain in drains]
        return all(ready for ready, _ in states), "; ".join(d for ready, d in states if not ready)

    threads = Threads()
    threads.stop_on_signals()
    health = serve_health(settings.health, "relay", state)
    for number, drain in enumerate(drains):
        threads.start(f"drain-{number}", partial(drain.run, threads.stop))
    threads.start("hints", partial(listen_for_hints, channels, drains, threads.stop))
    code = threads.wait()
    health.close()
    shards.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
