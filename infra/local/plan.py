"""The parts of the stack, their order, and what each is told. Nothing is started here.

Invariant: a process gets its own role's database addresses and no variable it has no use for; a
store whose address the user set (`OUTCRY_POSTGRES_URLS`, ...) is used and not started.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from functions.shared.settings import PREFIX, Settings
from functions.shared.stores.secrets import open_secrets
from functions.shared.stores.streams import open_streams
from infra.local import clickhouse
from infra.local.bank import bank_arguments, make_bank_token
from infra.local.fix_certificates import BROKER, VENUE, make_fix_certificates
from infra.local.home import Home, StoreAddresses
from infra.local.options import Options
from infra.local.parts import STOP_SECONDS, Part, Step
from infra.local.ports import LOOPBACK, claim_port, free_ports
from infra.local.postgres import APPLICATION, EDGE, OWNER, PostgresServer
from infra.local.probes import blocking_probe, http_probe, valkey_probe
from infra.local.refusals import StartRefused
from infra.local.valkey import ValkeyServer

EXECUTION_PARTITIONS, ORDER_SESSIONS, FEED_SESSIONS = 4, 2, 2
_ORDER_SESSIONS = [f"OUTCRY-O{number + 1}" for number in range(ORDER_SESSIONS)]
_LEDGER_STREAMS = ("commands.0", "executions.0", "listings.0")
_MARKET_SEED = 1
#: A drain ends before the supervisor's patience does.
_DRAIN = {"FANOUT_DRAIN_SECONDS": str(STOP_SECONDS - 1)}
#: With a standby the venue must notice within its 2.4 heartbeats that a gateway is stopped, so that
#: the standby is at work in five seconds.
_STANDBY_HEARTBEAT = 1
_REGION = "ap-south-1"

#: What a process of the stack keeps of its starter's environment: nothing of Outcry's.
_FOREIGN = {"AWS_DEFAULT_REGION": _REGION, "AWS_ACCESS_KEY_ID": "local"}
_FOREIGN_SECRETS = {"AWS_SECRET_ACCESS_KEY": "local"}


class OwnServers(Settings, frozen=True, kw_only=True):
    """Servers of the user's own, by the address of each, None to start the embedded one; and the
    region that the stack is."""

    home: str | None = None
    postgres_urls: tuple[str, ...] | None = None
    valkey_url: str | None = None
    streams_url: str | None = None
    clickhouse_url: str | None = None
    search_url: str | None = None
    region: str = "IN"
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything the supervisor needs, with the addresses that clients are told."""

    parts: list[Part]
    steps: list[Step]
    stores: StoreAddresses
    api: str
    stream: str
    exchange: str
    bank: str


class _Ports:
    """Ports nobody listens on now; all different."""

    def __init__(self, options: Options) -> None:
        self.api = claim_port(options.api_port, "--port")
        self.stream = claim_port(options.stream_port, "--stream-port")
        self._free = iter(free_ports(28))

    def take(self) -> int:
        return next(self._free)


def make_plan(
    home: Home, options: Options, own: OwnServers, prepare: Callable[[StoreAddresses], None]
) -> Plan:
    """The plan for that home. `prepare` readies the databases once they answer.

    Raises PortTaken, and StartRefused for an address of the streams that can't be served.
    """
    if own.streams_url is not None:
        try:
            open_streams(own.streams_url)
        except ValueError as error:
            raise StartRefused(str(error)) from error
    ports = _Ports(options)
    servers, stores = _stores(home, own, ports)
    ready = frozenset(part.name for part in servers if part.name not in {"mail", "clickhouse"})
    venue = _Venue(*(ports.take() for _ in range(5)))
    stream = f"ws://{LOOPBACK}:{ports.stream}/v1/stream"
    step = Step(name="databases", run=lambda: prepare(stores), after=ready)
    processes = _Processes(home, options, own, stores, venue, ports, stream, ports.take())
    parts = [*servers, processes.exchange(), processes.bank()]
    parts += [replace(p, after=frozenset({"databases"})) for p in processes.brokers()]
    return Plan(
        parts=parts,
        steps=[step],
        stores=stores,
        api=f"http://{LOOPBACK}:{ports.api}",
        stream=stream,
        exchange=f"http://{LOOPBACK}:{venue.health}",
        bank=processes.bank_url,
    )


def _stores(home: Home, own: OwnServers, ports: _Ports) -> tuple[list[Part], StoreAddresses]:
    """The embedded servers that are needed, and where all stores are."""
    parts: list[Part] = []
    if own.postgres_urls is None:
        server = PostgresServer(home, ports.take())
        parts.append(_postgres_part(home, server))
        owner, app, edge = server.urls(OWNER), server.urls(APPLICATION), server.urls(EDGE)
    else:
        owner = app = edge = list(own.postgres_urls)
    cache = ValkeyServer(home, "valkey", ports.take(), durable=False)
    streams = ValkeyServer(home, "streams", ports.take(), durable=True)
    for name, server_of, url in (
        ("valkey", cache, own.valkey_url),
        ("streams", streams, own.streams_url),
    ):
        if url is None:
            parts.append(_valkey_part(home, name, server_of))
    mail = ports.take()
    parts.append(_mail_part(home, mail))
    candles = own.clickhouse_url
    if candles is None and clickhouse.is_installed():
        part, candles = _clickhouse_part(home, ports.take())
        parts.append(part)
    addresses = StoreAddresses(
        postgres=owner,
        postgres_app=app,
        postgres_edge=edge,
        valkey=own.valkey_url or cache.url,
        streams=own.streams_url or streams.url,
        secrets=f"file://{home.secrets}",
        objects=f"file://{home.objects}",
        mail=f"http://{LOOPBACK}:{mail}",
        clickhouse=candles,
        search=own.search_url or f"file://{home.search}",
    )
    return parts, addresses


def _postgres_part(home: Home, server: PostgresServer) -> Part:
    return Part(
        name="postgres",
        command=server.command(),
        environment=_base_environment(),
        log=home.log("postgres"),
        probe=blocking_probe(server.answers),
        prepare=server.create,
        stop_signal=server.stop_signal,
        death_signal=server.death_signal,
        as_ordinary_user=True,
    )


def _valkey_part(home: Home, name: str, server: ValkeyServer) -> Part:
    return Part(
        name=name,
        command=server.command(),
        environment=_base_environment(),
        log=home.log(name),
        probe=valkey_probe(server.port, home.password(name)),
        prepare=server.create,
        stop_signal=server.stop_signal,
        death_signal=server.death_signal,
    )


def _mail_part(home: Home, port: int) -> Part:
    return Part(
        name="mail",
        command=_module("infra.local.mail"),
        environment=_base_environment() | {PREFIX + "LISTEN": f"{LOOPBACK}:{port}"},
        log=home.log("mail"),
        probe=http_probe(port, "/moto-api/"),
    )


def _clickhouse_part(home: Home, port: int) -> tuple[Part, str]:
    """The embedded engine, and its address."""
    folder, address = home.path / "clickhouse", f"{LOOPBACK}:{port}"
    variables = {"LISTEN": address, "CLICKHOUSE_STATE": str(folder)}
    part = Part(
        name="clickhouse",
        command=_module("infra.local.clickhouse"),
        environment=_base_environment() | {PREFIX + key: text for key, text in variables.items()},
        log=home.log("clickhouse"),
        probe=http_probe(port),
        prepare=lambda: clickhouse.make_folder(home, folder),
    )
    return part, f"embedded://:{home.password('clickhouse')}@{address}"


@dataclass(frozen=True)
class _Venue:
    orders: int
    feed: int
    feed_b: int
    health: int
    tls: int


@dataclass(frozen=True)
class _Processes:
    """The processes of Outcry itself, each with what it reads at start."""

    home: Home
    options: Options
    own: OwnServers
    stores: StoreAddresses
    venue: _Venue
    ports: _Ports
    stream: str
    bank_port: int

    @property
    def bank_url(self) -> str:
        return f"http://{LOOPBACK}:{self.bank_port}"

    def exchange(self) -> Part:
        """The venue is told by arguments: it shares no settings with the broker."""
        arguments = {
            "orders-port": self.venue.orders,
            "feed-port": self.venue.feed,
            "feed-port-b": self.venue.feed_b,
            "health-port": self.venue.health,
            "state": self.home.path / "exchange",
            "clock": self.home.clock,
            "rate": self.options.rate,
            "seed": _MARKET_SEED,
            "order-sessions": ORDER_SESSIONS,
            "feed-sessions": FEED_SESSIONS * 2,  # a standby's are its own
        }
        if self.options.symbols is not None:
            arguments["symbols"] = self.options.symbols
        if self.options.market is not None:
            arguments["market"] = self.options.market
        if self.options.fix_tls:
            arguments |= {
                "tls-port": self.venue.tls,
                "tls-folder": self.home.fix_tls / VENUE,
                "tls-sessions": ",".join([*_ORDER_SESSIONS, "OUTCRY-D1"]),
            }
        words = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        return Part(
            name="exchange",
            command=[*_module("infra.exchange.main"), *words],
            environment=_base_environment(),
            log=self.home.log("exchange"),
            probe=http_probe(self.venue.health),
            prepare=self._make_certificates if self.options.fix_tls else None,
        )

    def _make_certificates(self) -> None:
        make_fix_certificates(self.home.fix_tls)

    def bank(self) -> Part:
        """The bank, too, is told by arguments, and knows nothing of who calls it."""
        kept = open_secrets(self.stores.secrets)
        return Part(
            name="bank",
            command=[
                *_module("infra.bank.main"),
                *bank_arguments(self.home, f"{LOOPBACK}:{self.bank_port}"),
            ],
            environment=_base_environment(),
            log=self.home.log("bank"),
            probe=http_probe(self.bank_port),
            prepare=lambda: make_bank_token(kept),
        )

    def brokers(self) -> list[Part]:
        """Every process that needs the databases."""
        stores = self.stores
        cache, streams = {"VALKEY_URL": stores.valkey}, {"STREAMS_URL": stores.streams}
        edge = {"POSTGRES_URLS": ",".join(stores.postgres_edge), **cache}
        app = {"POSTGRES_URLS": ",".join(stores.postgres_app), **cache}
        secrets = {"SECRETS_URL": stores.secrets}
        index = {} if stores.search is None else {"SEARCH_URL": stores.search}
        clock = {"CLOCK": f"file://{self.home.clock}"}
        sessions = {"ORDER_SESSIONS": str(ORDER_SESSIONS)}
        partitions = {"EXECUTION_PARTITIONS": str(EXECUTION_PARTITIONS)}
        gateway = {
            "VENUE_ORDERS": f"{LOOPBACK}:{self.venue.orders}",
            "FIX_LOG": str(self.home.fix_log),
            "DROP_COPY": "true",
            **clock,
        }
        if self.options.standbys:
            gateway |= {"FIX_HEARTBEAT": str(_STANDBY_HEARTBEAT)}
        if self.options.fix_tls:
            gateway |= {
                "FIX_SESSIONS": ",".join(f"{name}:FIX.4.4:tls" for name in _ORDER_SESSIONS),
                "VENUE_ORDERS_TLS": f"{LOOPBACK}:{self.venue.tls}",
                "FIX_TLS": str(self.home.fix_tls / BROKER),
            }
        ingest = {
            "VENUE_FEED": f"{LOOPBACK}:{self.venue.feed}",
            "VENUE_FEED_B": f"{LOOPBACK}:{self.venue.feed_b}",
            "FEED_SESSIONS": str(FEED_SESSIONS),
            **clock,
        }
        candles = {} if stores.clickhouse is None else {"CLICKHOUSE_URL": stores.clickhouse}
        region = {"REGION": self.own.region, "REGIONS": ",".join(self.own.regions)}
        fanout = {"LISTEN": f"{LOOPBACK}:{self.ports.stream}", **_DRAIN} | _told("FANOUT_")
        objects = {"OBJECTS_URL": stores.objects}
        api = {
            **region,
            "LISTEN": f"{LOOPBACK}:{self.ports.api}",
            "STREAM_URL": self.stream,
            **objects,
            "MAIL_URL": stores.mail,
            "BANK_URL": self.bank_url,
            # All users of this machine's stack call from one address, the loopback.
            "RATE_ADDRESS": "0",
            "RATE_STRANGER": "0",
            **_told("RATE_"),
            **_told("WATCHLIST"),
            "KYC_URL": self.bank_url,
            **_told("LOGIN_TRIES"),
            **_told("LOGOUT_MINUTES"),
            **_told("TRUSTED_PROXIES"),
        }
        consumer = app | streams | secrets | clock | partitions
        return [
            *self._leased("ingest", edge | ingest | candles | _told("INGEST_")),
            *self._leased("gateway", edge | streams | sessions | partitions | gateway),
            *self._leased("relay", edge | streams | sessions),
            self._part("fanout", "edge.fanout.main", edge | secrets | clock | region | fanout),
            *self._leased("triggers", edge | streams | clock | partitions),
            self._consumer("ledger", consumer | index, _LEDGER_STREAMS),
            # By itself: no rule of the fraud watch stands in the way of a fill.
            self._consumer("surveillance", consumer | objects, ["ledger-events"]),
            self._part(
                "api", "infra.local.gateway.main", app | secrets | clock | candles | index | api
            ),
        ]

    def _leased(self, name: str, variables: Mapping[str, str]) -> list[Part]:
        """A process whose work is held by a lease, and its standby when one was asked for. A FIX
        engine's files are its own: another's that was stopped may still write to them. A standby
        of ingest reads the market on sessions of its own."""
        places = [name, f"{name}-standby"] if self.options.standbys else [name]
        parts: list[Part] = []
        for number, place in enumerate(places):
            own = {**variables, "INSTANCE": place}
            if name == "gateway":
                own["FIX_STATE"] = str(self.home.path / place)
            elif name == "ingest":
                own["FEED_FIRST_SESSION"] = str(1 + number * FEED_SESSIONS)
            parts.append(self._part(place, f"edge.{name}.main", own))
        return parts

    def _consumer(self, name: str, variables: Mapping[str, str], consumes: Sequence[str]) -> Part:
        own = {"INSTANCE": name, "GROUP": name, "CONSUMES": ",".join(consumes)}
        return self._part(name, "infra.local.consumer", {**variables, **own})

    def _part(self, name: str, module: str, variables: Mapping[str, str]) -> Part:
        health = self.ports.take()
        own = {
            **variables,
            "HEALTH": f"{LOOPBACK}:{health}",
            "LOG_LEVEL": self.options.log_level,
        }
        return Part(
            name=name,
            command=_module(module),
            environment=_base_environment() | {PREFIX + key: text for key, text in own.items()},
            log=self.home.log(name),
            probe=http_probe(health),
        )


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _told(name: str) -> dict[str, str]:
    """The bounds of a part that the user set."""
    told = {v: text for v, text in os.environ.items() if v.startswith(PREFIX + name)}
    return {variable.removeprefix(PREFIX): text for variable, text in told.items()}


def _base_environment() -> dict[str, str]:
    """The starter's environment without Outcry's variables; AWS credentials that lead nowhere
    unless the user has their own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return {**_FOREIGN, **_FOREIGN_SECRETS, **kept, "PYTHONUNBUFFERED": "1"}
