"""`python -m edge.relay.main`: one thread drains each shard as the holder of its lease, one keeps
the lease, one listens for wake-up hints, one hands on what changed in the instrument master, and
one looks whether a shard was added, whose drain then starts.

Invariant: a shard is drained by one process; where another drains it, this one stands by.
"""

import gc
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import REGISTRY

from edge.relay.drain import Drain
from edge.relay.listings import ListingsDrain
from edge.relay.metrics import RelayMetrics
from edge.runtime.backoff import Backoff
from edge.runtime.health import serve_health
from edge.runtime.lease import Lease, holder_of
from edge.runtime.log import configure_logging, logger
from edge.runtime.threads import Threads
from functions.shared.domain.errors import Retryable
from functions.shared.settings import StreamSettings
from functions.shared.stores.channels import OUTBOX_HINT, Channels
from functions.shared.stores.leases import RELAY, LedgerLeases
from functions.shared.stores.listing_changes import ListingChanges
from functions.shared.stores.outbox import Outbox
from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import streams_of

#: A shard is added by a person, and its outbox is empty at first.
NEW_SHARD_SECONDS = 1.0


class RelaySettings(StreamSettings, frozen=True, kw_only=True):
    """What the relay reads at start."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    health: str
    instance: str | None = None
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


class Drains:
    """The drains of all shards, by number; each has connections of its own. `holder`: who this
    process is in leases."""

    def __init__(
        self, open_drain: Callable[[int, Shards, Lease], Drain], urls: Sequence[str], holder: str
    ) -> None:
        self.running: list[Drain] = []
        self._open_drain = open_drain
        self._urls = urls
        self._holder = holder
        self.leases: list[Lease] = []
        self._opened: list[Shards] = []

    def extend(self, count: int, threads: Threads) -> None:
        """Starts the drains that are missing to `count`."""
        for number in range(len(self.running), count):
            shards, leasing = Shards(self._urls, "relay"), Shards(self._urls, "relay-lease")
            self._opened += [shards, leasing]
            leases = LedgerLeases(leasing.database(number))
            lease = Lease(leases, [RELAY], self._holder)
            drain = self._open_drain(number, shards, lease)
            threads.start(f"drain-{number}", partial(_drain, number, drain, lease, threads))
            self.leases.append(lease)
            self.running.append(drain)

    def follow_shards(self, threads: Threads) -> None:
        """Until the process stops. Raises nothing: without shard 0 no shard can be added."""
        directory = Shards(self._urls, "relay-shards")
        self._opened.append(directory)
        backoff = Backoff()
        while not threads.stop.wait(NEW_SHARD_SECONDS):
            try:
                self.extend(len(directory.databases), threads)
                backoff.reset()
            except Retryable as error:
                logger(__name__).warning("the directory does not answer", detail=str(error))
                if backoff.wait(threads.stop):
                    return

    def state(self) -> tuple[bool, str]:
        """Ready while every shard is drained, here or by another while this one stands by; if
        not, why."""
        states = [
            drain.state() if lease.taken else lease.state()
            for drain, lease in zip(list(self.running), list(self.leases), strict=False)
        ]
        return all(ready for ready, _ in states), "; ".join(d for ready, d in states if not ready)

    def close(self) -> None:
        for lease in self.leases:
            if lease.taken:
                lease.give_up()
        for shards in self._opened:
            shards.close()


def _drain(number: int, drain: Drain, lease: Lease, threads: Threads) -> None:
    if lease.take(threads.stop):
        threads.start(f"lease-{number}", partial(lease.keep, threads.stop))
        drain.run(threads.stop)


def main() -> int:
    settings = RelaySettings.from_environment()
    configure_logging("relay", settings.log_level)
    channels = Channels(settings.valkey_url)
    streams = streams_of(settings)
    metrics = RelayMetrics(REGISTRY)

    def open_drain(number: int, shards: Shards, lease: Lease) -> Drain:
        outbox = Outbox(shards.database(number), lambda: lease.fence)
        return Drain(number, outbox, streams, channels, settings.order_sessions, metrics)

    drains = Drains(open_drain, settings.postgres_urls, holder_of(settings.instance))
    threads = Threads()
    threads.stop_on_signals()
    health = serve_health(settings.health, "relay", drains.state)
    drains.extend(len(settings.postgres_urls), threads)
    threads.start("hints", partial(listen_for_hints, channels, drains.running, threads.stop))
    threads.start("shards", partial(drains.follow_shards, threads))
    directory = Shards(settings.postgres_urls, "relay-listings")
    listings = ListingsDrain(
        ListingChanges(directory.control), streams, lambda: drains.leases[0].taken
    )
    threads.start("listings", partial(listings.run, threads.stop))
    gc.freeze()  # what start-up made lives on: no collection needs to look at it
    code = threads.wait()
    health.close()
    drains.close()
    directory.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
