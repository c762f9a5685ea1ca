"""`python -m infra.exchange.main`: the simulated exchange as one process.

Composes journal, engine, sessions, feed and health port, and runs until SIGTERM or SIGINT. Exit 0
after a clean logout; exit 1 with one message on stderr when it cannot start or its journal fails.
"""

import argparse
import gc
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.exchange.clock import BusinessClock, ClockError
from infra.exchange.feed_server import Connection, FeedServer
from infra.exchange.feed_session import Subscribe
from infra.exchange.health import HealthServer, Questions
from infra.exchange.inbox import FeedRequest, Inbox, new_inbox
from infra.exchange.instruments import read_listing, with_more
from infra.exchange.journal import Journal, JournalError
from infra.exchange.market_file import MarketFileError, read_market_file
from infra.exchange.order_port import OrderPort, PortError, Tls
from infra.exchange.sessions import broker_sessions
from infra.exchange.venue import Venue

VENUE = "XNSE"
LOOPBACK = "127.0.0.1"
MIN_RATE, MAX_RATE = 10, 100_000
MAX_LISTED = 5_000
STOP_WAIT_S = 1.0
# The matching thread computes most of the time at a high rate; a short slice of the interpreter
# lets the FIX thread take an order up within a millisecond.
SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    orders_port: int
    feed_port: int
    feed_port_b: int | None
    health_port: int
    state: Path
    clock: Path
    rate: int
    symbols: int | None
    seed: int
    order_sessions: int
    feed_sessions: int
    fix42_sessions: int
    drop_copies: int
    market: Path | None
    iceberg_keeps_place: bool
    tls_port: int | None
    tls_folder: Path | None
    tls_sessions: str

    @property
    def tls(self) -> Tls | None:
        """The port for sessions over TLS, if there is one."""
        if self.tls_port is None or self.tls_folder is None:
            return None
        return Tls(self.tls_port, self.tls_folder, frozenset(self.tls_sessions.split(",")))


def parse_arguments(arguments: list[str]) -> Settings:
    """Read the command line; argparse exits with 2 and a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="infra.exchange.main", description="A simulated NSE.")
    for name in ("orders", "feed", "health"):
        parser.add_argument(f"--{name}-port", type=_port, required=True)
    parser.add_argument("--feed-port-b", type=_port, help="port of the feed's second line")
    parser.add_argument("--state", type=Path, required=True, help="folder of journal and sequences")
    parser.add_argument("--clock", type=Path, required=True, help="business clock file")
    parser.add_argument("--rate", type=_rate, default=2_000, help="market data entries a second")
    parser.add_argument(
        "--symbols",
        type=_symbols,
        help="trade so many: more of the NIFTY 500, then LOAD0001, ...",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order-sessions", type=_sessions, default=2)
    parser.add_argument("--feed-sessions", type=_sessions, default=2)
    parser.add_argument("--fix42-sessions", type=_sessions, default=1)
    parser.add_argument("--drop-copies", type=_sessions, default=1)
    parser.add_argument("--market", type=Path, help="market file to play (market_file.md)")
    parser.add_argument(
        "--iceberg-keeps-place",
        action="store_true",
        help="the next shown part of a MaxFloor order stays in front of its price",
    )
    parser.add_argument("--tls-port", type=_port, help="port of the sessions that speak TLS")
    parser.add_argument("--tls-folder", type=Path, help="its cert.pem, key.pem and ca.pem")
    parser.add_argument("--tls-sessions", default="", help="their CompIDs, separated by commas")
    return Settings(**vars(parser.parse_args(arguments)))


def _within(text: str, low: int, high: int) -> int:
    value = int(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{value} is not within {low} to {high}")
    return value


def _port(text: str) -> int:
    return _within(text, 1, 65_535)


def _rate(text: str) -> int:
    return _within(text, MIN_RATE, MAX_RATE)


def _symbols(text: str) -> int:
    return _within(text, 1, MAX_LISTED)


def _sessions(text: str) -> int:
    return _within(text, 1, 64)


class Exchange:
    """All parts of the process, from opening the state folder to the last logout."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = threading.Event()
        self._failure = ""
        self._state = "starting"
        clock = BusinessClock(settings.clock)
        self._clock = clock
        self._journal = Journal(settings.state, refresh_keeps_place=settings.iceberg_keeps_place)
        inbox: Inbox = new_inbox()
        self._inbox = inbox
        self.venue = Venue(
            listing=with_more(read_listing(), settings.symbols),
            journal=self._journal,
            clock=clock,
            inbox=inbox,
            rate=settings.rate,
            seed=settings.seed,
            script=read_market_file(settings.market) if settings.market else None,
        )
        self._feed = FeedServer(VENUE, _feed_brokers(settings.feed_sessions), self._feed_request)
        self._orders = OrderPort(
            venue=VENUE,
            brokers=broker_sessions(
                settings.order_sessions, settings.fix42_sessions, settings.drop_copies
            ),
            port=settings.orders_port,
            folder=settings.state,
            inbox=inbox,
            tls=settings.tls,
        )
        self._health = HealthServer(
            LOOPBACK,
            settings.health_port,
            Questions(
                register=self.venue.register,
                ask=self.venue.ask,
                health=self.health,
                metrics=self.metrics,
                control=self.venue.director.attempt,
            ),
        )
        self._matching = threading.Thread(target=self._match, name="matching", daemon=True)

    def start(self) -> None:
        """Open the ports in the order in which they can be served."""
        self.venue.connect(self._orders, self._feed)
        self._orders.resume(self._journal.recovered.received)
        self.venue.resend_unsent(self._orders.without_a_past())
        self._health.start()
        self._matching.start()
        lines = (self._settings.feed_port, self._settings.feed_port_b)
        self._feed.start(LOOPBACK, *(port for port in lines if port is not None))
        self._orders.start()
        self._state = "ready"

    def wait(self) -> str:
        """Block until told to stop; return why it failed, or nothing."""
        self._stopped.wait()
        return self._failure

    def stop(self) -> None:
        """End the process's work; safe to call from a signal handler."""
        self._stopped.set()

    def close(self) -> None:
        """Log out, finish the turn, write the journal, within three seconds."""
        self._state = "stopping"
        self._orders.stop()
        self.venue.stop()
        self._matching.join(STOP_WAIT_S)
        self._feed.stop(STOP_WAIT_S)
        self._health.stop()
        if not self._matching.is_alive():
            self._journal.close()

    def health(self) -> dict[str, Any]:
        """Return the body of /health."""
        return {
            "state": self._state,
            "open": self.venue.open,
            "halts": sorted(self.venue.floor.halts),
            "order_sessions": self._orders.logged_on,
            "feed_sessions": self._feed.figures.sessions,
            "open_orders": len(self.venue.register.open),
            "waiting": self._inbox.qsize(),
            "clock_errors": self._clock.errors,
        }

    def metrics(self) -> str:
        """Return the counters in Prometheus's text format."""
        figures = asdict(self.venue.figures)
        feed = asdict(self._feed.figures)
        del feed["sessions"]
        figures |= {f"feed_{name}": value for name, value in feed.items()}
        figures["entries"] = self.venue.day.entries
        figures["entries_shed"] = self.venue.day.shed
        figures["script_failures"] = self.venue.director.failed
        figures["refused_messages"] = self._orders.refused
        lines = [
            f"# TYPE exchange_{name}_total counter\nexchange_{name}_total {value}\n"
            for name, value in figures.items()
        ]
        lines.append(
            "# TYPE exchange_open_orders gauge\n"
            f"exchange_open_orders {len(self.venue.register.open)}\n"
            "# TYPE exchange_cpu_seconds_total counter\n"
            f"exchange_cpu_seconds_total {time.process_time():.3f}\n"
        )
        return "".join(lines)

    def _feed_request(self, connection: Connection, request: Subscribe) -> None:
        if self._inbox.full():
            self._feed.refuse(connection, request, "the venue is busy")
        else:
            self._inbox.put(FeedRequest(connection, request))

    def _match(self) -> None:
        try:
            self.venue.run()
        except Exception as error:  # noqa: BLE001 - the process ends with this message
            self._failure = f"the matching thread failed: {type(error).__name__}: {error}"
            self._stopped.set()


def _feed_brokers(count: int) -> frozenset[str]:
    return frozenset(f"OUTCRY-M{number}" for number in range(1, count + 1))


def main(arguments: list[str] | None = None) -> int:
    """Run the exchange; return the exit status."""
    settings = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        exchange = Exchange(settings)
        signal.signal(signal.SIGTERM, lambda *_: exchange.stop())
        signal.signal(signal.SIGINT, lambda *_: exchange.stop())
        exchange.start()
        gc.freeze()  # what start-up made lives on: no collection needs to look at it
    except (ClockError, JournalError, MarketFileError, PortError, OSError, ValueError) as error:
        print(f"exchange: {error}", file=sys.stderr)  # noqa: T201
        return 1
    failure = exchange.wait()
    exchange.close()
    if failure:
        print(f"exchange: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # quickfix's threads need no tearing down, and must not hold up the exit.
    os._exit(status)
