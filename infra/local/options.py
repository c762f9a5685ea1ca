"""What a stack is asked for, apart from its plan: a command that starts none loads no store."""

from dataclasses import dataclass

API_PORT, STREAM_PORT = 7400, 7401


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `outcry up` was asked for. `rate` is market-data updates a second over `symbols`, None
    for those of the listing alone; `shards` None leaves the home as it is."""

    clock: str | None = None
    shards: int | None = None
    rate: int = 200
    symbols: int | None = None
    market: str | None = None
    api_port: int = API_PORT
    stream_port: int = STREAM_PORT
    fix_tls: bool = False
    standbys: bool = False
    log_level: str = "INFO"
