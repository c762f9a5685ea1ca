"""What a process reads at start: one frozen class per process, filled from the environment once.

Invariant: a missing, unknown or malformed `OUTCRY_` variable stops the process at start with the
name of the variable. Nothing below this module reads the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Self, TypeVar, dataclass_transform, get_type_hints

import msgspec

PREFIX = "OUTCRY_"

#: Every variable any process of Outcry reads, with its meaning. Another name is refused.
VARIABLES: Mapping[str, str] = {
    "OUTCRY_HOME": "the one folder that state lives in",
    "OUTCRY_POSTGRES_URLS": "addresses of the shards, shard 0 first, separated by commas",
    "OUTCRY_VALKEY_URL": "quote cache, rate limits and user channels, may be lost at any time:"
    " redis://HOST:PORT/N or redis-cluster://HOST:PORT,... (over TLS: rediss, rediss-cluster)",
    "OUTCRY_STREAMS_URL": "durable streams: redis://HOST:PORT/DB, kinesis://REGION/PREFIX or"
    " kafka://HOST:PORT,.../PREFIX",
    "OUTCRY_STREAM_BATCH_BYTES": "bytes of one stream handed out at once (default 4194304)",
    "OUTCRY_STREAM_APPEND_SECONDS": "how long the bus has to answer (default 5)",
    "OUTCRY_STREAM_TAKEOVER_SECONDS": "silence after which a consumer's streams are divided among"
    " the others of its group (default 10; Kafka's brokers allow no less than 6)",
    "OUTCRY_STREAM_ENTRIES": "entries that a stream of Valkey keeps (default 250000)",
    "OUTCRY_STREAM_TRIES": "times that Kinesis is given a record it refuses (default 4)",
    "OUTCRY_STREAM_READ_SECONDS": "time between two reads of a Kinesis shard (default 0.25)",
    "OUTCRY_STREAM_SHARDS_SECONDS": "time between two looks for new ones (default 60)",
    "OUTCRY_SECRETS_URL": "secrets: file:///FOLDER or aws:REGION",
    "OUTCRY_OBJECTS_URL": "write-once objects: file:///FOLDER or s3://BUCKET",
    "OUTCRY_MAIL_URL": "SES: the endpoint's http address or aws:REGION",
    "OUTCRY_KYC_URL": "who says that a person is who they say: http://HOST:PORT or https://HOST",
    "OUTCRY_BANK_URL": "the bank that payments go through: http://HOST:PORT or https://HOST",
    "OUTCRY_CLICKHOUSE_URL": "candles: http://USER:PASSWORD@HOST:PORT/DATABASE (or https); none are"
    " kept without",
    "OUTCRY_CLICKHOUSE_STATE": "folder of the embedded ClickHouse",
    "OUTCRY_CANDLES_WAITING": "candles that wait in ingest while their store is away (default"
    " 200000)",
    "OUTCRY_CANDLES_DAYS": "days that candles by the minute are kept for (default 730)",
    "OUTCRY_VOLUME_CURVE_DAYS": "days that a symbol's volume curve is the average of (default 20)",
    "OUTCRY_VOLUME_CURVE_DAYS_LEAST": "days that it takes for a curve of its own (default 5)",
    "OUTCRY_SEARCH_URL": "search index: file:///FOLDER, http(s)://[USER:PASSWORD@]HOST:PORT[/NAME]"
    " of an OpenSearch, or opensearch://REGION/HOST[/NAME] with requests signed",
    "OUTCRY_CLOCK": "business clock: real, or file:///PATH",
    "OUTCRY_EXECUTION_PARTITIONS": "partitions of the streams executions and commands (default 4)",
    "OUTCRY_ORDER_SESSIONS": "number of FIX order sessions (default 2)",
    "OUTCRY_FIX_SESSIONS": "NAME, NAME:FIX.4.2 or NAME:FIX.4.4:tls of each order session,"
    " separated by commas",
    "OUTCRY_FIX_TLS": "folder of our cert.pem, key.pem and the venue's ca.pem; the drop copy, too,"
    " is over TLS then",
    "OUTCRY_VENUE_ORDERS_TLS": "HOST:PORT of the venue's FIX sessions over TLS",
    "OUTCRY_DROP_COPY": "true to hold a drop-copy session and compare fills (default false)",
    "OUTCRY_FEED_SESSIONS": "number of FIX market-data sessions (default 2)",
    "OUTCRY_FEED_FIRST_SESSION": "number of the first of them, OUTCRY-M1 (default 1)",
    "OUTCRY_FEED_HOLD_MS": "how long a hole in one line waits for the other (default 250)",
    "OUTCRY_FEED_HOLD_MESSAGES": "messages kept behind such a hole (default 2000)",
    "OUTCRY_FEED_STALE_MS": "silence after which prices are told as stale (default 1500)",
    "OUTCRY_INGEST_BATCH_MS": "time that one batch of quotes conflates (default 20)",
    "OUTCRY_INGEST_LEASE_MS": "time after which a standby takes ingest over (default 1200)",
    # The other bounds of ingest: edge/ingest/ingest.md has their defaults.
    "OUTCRY_INGEST_CONNECT_SECONDS": "time for a connection to a line of market data",
    "OUTCRY_INGEST_LOGON_SECONDS": "time from there to the venue's Logon",
    "OUTCRY_INGEST_HEARTBEAT_SECONDS": "HeartBtInt(108) of the market-data sessions",
    "OUTCRY_INGEST_SILENCE_SECONDS": "silence after which a line's connection is given up",
    "OUTCRY_INGEST_GOODBYE_SECONDS": "time for the venue to take our Logout",
    "OUTCRY_INGEST_MESSAGE_BYTES": "size of a message of market data",
    "OUTCRY_INGEST_SYMBOLS": "symbols of the book",
    "OUTCRY_INGEST_DAYS_SECONDS": "time between two writes of the day's figures",
    "OUTCRY_INGEST_PATIENCE_SECONDS": "time for which an earlier holder's later prices are heeded",
    "OUTCRY_INGEST_END_SECONDS": "time for the last batch before the lease is given up",
    "OUTCRY_INGEST_WRITE_SECONDS": "time for the quote cache to take a batch",
    "OUTCRY_INGEST_CANDLES_WRITE": "candles of one write",
    "OUTCRY_INGEST_CANDLES_PAUSE_SECONDS": "first pause of a candles' store that is away",
    "OUTCRY_INGEST_CANDLES_PAUSE_MOST_SECONDS": "the longest of them",
    "OUTCRY_VENUE_ORDERS": "HOST:PORT of the venue's FIX order sessions",
    "OUTCRY_VENUE_FEED": "HOST:PORT of the venue's FIX market-data sessions",
    "OUTCRY_VENUE_FEED_B": "HOST:PORT of their second line, if there is one",
    "OUTCRY_FIX_STATE": "folder of the FIX engine's sequence files",
    "OUTCRY_FIX_LOG": "folder in which every FIX message of the order sessions is kept",
    "OUTCRY_REGION": "the region whose users are at home here (default IN)",
    "OUTCRY_REGIONS": "NAME=ADDRESS of the API in each region, separated by commas",
    "OUTCRY_RATE_USER": "calls a second of one user, orders and cancels apart (default 20; 0: no"
    " limit); at once, twice as many of each kind",
    "OUTCRY_RATE_ADDRESS": "signed-in calls a second from one address (default 200; 0: no limit)",
    "OUTCRY_RATE_STRANGER": "calls a second from one address that nobody signed in makes (default"
    " 10; 0: no limit)",
    "OUTCRY_LOGOUT_MINUTES": "how long before the trading day every session ends (default 120)",
    "OUTCRY_LOGIN_TRIES": "wrong logins to an account that are borne before each next one has to"
    " wait, twice as long each time (default 10)",
    "OUTCRY_LOGIN_TRIES_NETWORK": "the same of a network, whatever the account (default 100)",
    "OUTCRY_TRUSTED_PROXIES": "networks whose X-Forwarded-For is believed, separated by commas;"
    " without the proxies that stand before the API, all callers are one (default: none)",
    "OUTCRY_MAIL_SENDER": "the address that mail to users comes from (default"
    " no-reply@outcry.example)",
    "OUTCRY_LISTEN": "HOST:PORT this process serves its clients on",
    "OUTCRY_INSTANCE": "place of this process among those that may hold its leases; one at a time"
    " runs there (default: a name of its own)",
    "OUTCRY_FIX_CANCEL_UNOWNED": "false where others trade under our CompIDs too: what the venue"
    " has open and the ledger has not is then only noted, not cancelled there (default true)",
    "OUTCRY_FIX_HEARTBEAT": "HeartBtInt(108) of the order sessions in seconds (default 10)",
    "OUTCRY_HEALTH": "HOST:PORT this process answers /health and /metrics on",
    "OUTCRY_STREAM_URL": "address clients open for the quote and event stream",
    # The bounds of the stream: edge/fanout/bounds.md has their defaults.
    "OUTCRY_FANOUT_WORKERS": "processes that share the fanout's port",
    "OUTCRY_FANOUT_WORKER_SILENCE_SECONDS": "a worker not heard of for as long is replaced",
    "OUTCRY_FANOUT_WORKER_START_SECONDS": "time until the first word of a worker",
    "OUTCRY_FANOUT_WORKER_STOP_SECONDS": "time beyond its drain until a worker is killed",
    "OUTCRY_FANOUT_WORKER_DEATHS": "deaths of a worker within a minute that end the node",
    "OUTCRY_FANOUT_CONNECTIONS": "connections one fanout process takes",
    "OUTCRY_FANOUT_CONNECTIONS_PER_USER": "connections of one user it takes",
    "OUTCRY_FANOUT_CONNECTIONS_PER_ADDRESS": "connections from one address it takes",
    "OUTCRY_FANOUT_OPENINGS_PER_SECOND": "new connections it takes a second",
    "OUTCRY_FANOUT_OPENING_SHARE": "of a tick's time, what is left to those who come in",
    "OUTCRY_FANOUT_ACCEPT_BACKLOG": "connections that the kernel keeps until they are taken",
    "OUTCRY_FANOUT_RETRY_AFTER_SECONDS": "the longest Retry-After of one it does not take",
    "OUTCRY_FANOUT_HANDSHAKE_SECONDS": "time for an opening handshake",
    "OUTCRY_FANOUT_SIGN_IN_SECONDS": "time from the handshake to a sign-in",
    "OUTCRY_FANOUT_SILENCE_SECONDS": "a client not heard of for as long is closed",
    "OUTCRY_FANOUT_EXPIRY_NOTICE_SECONDS": "how long before its token ends a client is told",
    "OUTCRY_FANOUT_ENDED_SESSIONS": "revoked sessions that are remembered",
    "OUTCRY_FANOUT_SYMBOLS": "symbols one connection watches",
    "OUTCRY_FANOUT_MESSAGE_BYTES": "size of a client's handshake or message",
    "OUTCRY_FANOUT_MESSAGES_PER_SECOND": "messages and other frames of a client a second",
    "OUTCRY_FANOUT_BACKLOG": "messages of a client that wait for its sign-in",
    "OUTCRY_FANOUT_ERRORS": "messages of a client that can't be followed",
    "OUTCRY_FANOUT_BUFFER_BYTES": "what a client may be behind before it skips ticks",
    "OUTCRY_FANOUT_SEND_BUFFER_BYTES": "what the kernel holds for a client beside that",
    "OUTCRY_FANOUT_BLOCKED_SECONDS": "a client as far behind for as long is cut",
    "OUTCRY_FANOUT_PENDING": "messages that wait for a client that is behind",
    "OUTCRY_FANOUT_CLOSING_SECONDS": "time from our close to the end of the connection",
    "OUTCRY_FANOUT_DRAIN_SECONDS": "time to close every connection in when stopped",
    "OUTCRY_FANOUT_DRAIN_NOTICE_SECONDS": "time from the drain's notice to its first slice",
    "OUTCRY_FANOUT_DRAIN_SLICE_SECONDS": "time between two slices",
    "OUTCRY_FANOUT_DRAIN_SLICE": "connections of a slice at least",
    "OUTCRY_FANOUT_LATE_SECONDS": "a fanout whose loop is as late is not healthy",
    "OUTCRY_FANOUT_SWEEP_SECONDS": "time between two searches for leftovers",
    "OUTCRY_FANOUT_MEMORY_BYTES": "memory of a fanout and its workers (default: its cgroup's)",
    "OUTCRY_FANOUT_MEMORY_ALARM_PERCENT": "part of it that raises the alarm",
    "OUTCRY_FANOUT_MEMORY_RELIEF_PERCENT": "percent that memory falls by before the alarm ends",
    "OUTCRY_FANOUT_MEMORY_SECONDS": "time between two looks at its memory",
    "OUTCRY_FANOUT_FIGURES_SECONDS": "time between two lines of figures in the log",
    "OUTCRY_FANOUT_MIN_MOVES": "different min_moves of one symbol that it tells apart",
    "OUTCRY_FANOUT_PORTFOLIO_MOVE": "paise that a portfolio has to move by to be told",
    "OUTCRY_FANOUT_PORTFOLIO_MOVE_BASIS_POINTS": "or hundredths of a percent of its shares' worth",
    "OUTCRY_FANOUT_PORTFOLIO_READS": "portfolios that it asks the ledger for at a time",
    "OUTCRY_FANOUT_EVENT_READS": "clients' events that it asks the ledger for at a time",
    "OUTCRY_FANOUT_RESUME_EVENTS": "events that a resume serves",
    "OUTCRY_FANOUT_FEED_SILENCE_SECONDS": "silence of ingest after which every price is stale",
    "OUTCRY_FANOUT_LISTING_SECONDS": "time between two looks at the instruments",
    "OUTCRY_FANOUT_BUS_CONNECT_SECONDS": "time for a connection to the quote channels",
    "OUTCRY_FANOUT_BUS_PROBE_SECONDS": "time between two probes of such a connection",
    "OUTCRY_FANOUT_BUS_DEAD_SECONDS": "silence after which it is given up",
    "OUTCRY_FANOUT_BUS_REREAD_SECONDS": "time between two looks at a cluster's layout",
    "OUTCRY_FANOUT_BUS_PAUSE_MOST_SECONDS": "longest pause before it is made again",
    "OUTCRY_ALERTS": "price alerts a user may keep (default 250)",
    "OUTCRY_GROUP": "whose place in its streams a consumer keeps (default ledger)",
    "OUTCRY_CONSUMES": "the template's streams that a consumer reads (default: all of them)",
    "OUTCRY_WATCHLISTS": "watchlists a user may have (default 20)",
    "OUTCRY_WATCHLIST_SYMBOLS": "symbols one of them may have (default 250)",
    "OUTCRY_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR (default INFO)",
}

T = TypeVar("T", bound="Variables")


class SettingsError(Exception):
    """A variable is missing, unknown or malformed; the message names it."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """Values by their variables: with the prefix `OUTCRY_`, field `x_y` reads `OUTCRY_X_Y`.

    A `tuple[str, ...]` field is read from a comma-separated value.
    """

    prefix: ClassVar[str] = PREFIX

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Reads this process's variables. Raises SettingsError naming the variable at fault."""
        source = os.environ if environment is None else environment
        unknown = sorted(n for n in source if n.startswith(PREFIX) and n not in VARIABLES)
        if unknown:
            raise SettingsError(f"{unknown[0]} is not a variable of Outcry; see VARIABLES")
        hints = get_type_hints(cls)
        values: dict[str, object] = {}
        for name in cls.__struct_fields__:
            variable = cls.prefix + name.upper()
            text = source.get(variable)
            if text is None:
                continue
            values[name] = tuple(text.split(",")) if "tuple" in str(hints[name]) else text
        try:
            return msgspec.convert(values, type=cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{_variable_of(str(error), cls.prefix)}: {error}") from None


class Settings(Variables, frozen=True, kw_only=True):
    """Base of each process's settings. Field `postgres_urls` reads `OUTCRY_POSTGRES_URLS`."""

    log_level: str = "INFO"


class StoreSettings(Settings, frozen=True, kw_only=True):
    """What every function needs to reach its stores."""

    postgres_urls: tuple[str, ...]
    valkey_url: str
    secrets_url: str
    objects_url: str | None = None
    clock: str = "real"
    bank_url: str | None = None
    kyc_url: str | None = None
    mail_url: str | None = None
    mail_sender: str = "no-reply@outcry.example"
    search_url: str | None = None
    region: str = "IN"
    regions: tuple[str, ...] = ()
    rate_user: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 20
    rate_address: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 200
    rate_stranger: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 10
    trusted_proxies: tuple[str, ...] = ()
    logout_minutes: Annotated[int, msgspec.Meta(ge=0, le=600)] = 120
    login_tries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10
    login_tries_network: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100


class StreamSettings(Settings, frozen=True, kw_only=True):
    """What every process needs that appends to the durable streams or reads them."""

    streams_url: str
    stream_batch_bytes: Annotated[int, msgspec.Meta(gt=0)] = 4 * 1024 * 1024
    stream_append_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    stream_takeover_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    stream_entries: Annotated[int, msgspec.Meta(gt=0)] = 250_000
    stream_tries: Annotated[int, msgspec.Meta(gt=0)] = 4
    stream_read_seconds: Annotated[float, msgspec.Meta(gt=0)] = 0.25
    stream_shards_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


def _variable_of(message: str, prefix: str) -> str:
    """The variable a msgspec message speaks of: "... field `x`" or "... at `$.x`"."""
    quoted = message.rsplit("`", 2)[-2] if message.count("`") >= 2 else "?"
    return prefix + quoted.removeprefix("$.").split("[")[0].upper()


def split_address(address: str) -> tuple[str, int]:
    """`HOST:PORT` as a pair. Raises SettingsError when it is not one."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise SettingsError(f"{address!r} is not HOST:PORT")
    return host, int(port)


def file_url_path(url: str) -> Path | None:
    """The path of a `file:///...` address, or None when it is another kind."""
    return Path(url.removeprefix("file://")) if url.startswith("file://") else None
