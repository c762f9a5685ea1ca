"""Readies the stores of the containers: `python -m infra.images.prepare`, run once at each start.

Roles and databases -> migrations and instruments -> keys and the demo user -> `run/stack.json`,
which says to `make deploy-local` where functions in containers find the stores. Invariant: done
twice it changes nothing.
"""

import sys
from pathlib import Path

import msgspec
from pg8000.exceptions import DatabaseError

from functions.shared.settings import Settings, SettingsError
from functions.shared.stores.secrets import open_secrets
from infra.local.bank import make_bank_token
from infra.local.clock_file import set_clock
from infra.local.databases import prepare_databases
from infra.local.home import Home, StoreAddresses
from infra.local.postgres import APPLICATION, EDGE, connect, create_roles, shard_names

# The containers' network is the only one that reaches these servers.
_PASSWORDS = {APPLICATION: "outcry", EDGE: "outcry"}
_DUPLICATE_DATABASE = "42P04"


class PrepareSettings(Settings, frozen=True, kw_only=True):
    """`postgres_urls`: the server's own database, as its owner; the shards are made beside it."""

    home: str
    postgres_urls: tuple[str, ...]
    valkey_url: str
    streams_url: str
    stream_url: str
    region: str = "IN"
    bank_url: str


def prepare(settings: PrepareSettings) -> None:
    """Raises MigrationRefused, StartRefused and whatever the servers refuse."""
    home = Home(Path(settings.home))
    home.create()
    set_clock(home, "real")  # functions have no other: they share no disk with this home
    stores = _stores(settings, home)
    make_bank_token(open_secrets(stores.secrets))
    _create_shards(settings.postgres_urls[0])
    prepare_databases(home, stores, embedded=False, region=settings.region)
    told = {
        "stream": settings.stream_url,
        "bank": settings.bank_url,
        "clock": "real",
        "stores": {"postgres_app": stores.postgres_app, "valkey": stores.valkey},
    }
    home.write(home.stack_file, msgspec.json.encode(told))


def _stores(settings: PrepareSettings, home: Home) -> StoreAddresses:
    server = settings.postgres_urls[0].rpartition("/")[0]
    host = server.rpartition("@")[2]

    def shards(login: str) -> list[str]:
        return [f"postgresql://{login}@{host}/{name}" for name in shard_names()]

    return StoreAddresses(
        postgres=[f"{server}/{name}" for name in shard_names()],
        postgres_app=shards(f"{APPLICATION}:{_PASSWORDS[APPLICATION]}"),
        postgres_edge=shards(f"{EDGE}:{_PASSWORDS[EDGE]}"),
        valkey=settings.valkey_url,
        streams=settings.streams_url,
        secrets=f"file://{home.secrets}",
        objects=f"file://{home.objects}",
        mail="",
    )


def _create_shards(url: str) -> None:
    connection = connect(url)
    try:
        create_roles(connection, _PASSWORDS)
        for name in shard_names():
            try:
                connection.run(f"CREATE DATABASE {name}")
            except DatabaseError as error:
                if error.args[0].get("C") != _DUPLICATE_DATABASE:
                    raise
    finally:
        connection.close()


def main() -> int:
    """Exit 0 when everything is ready, 1 with the name of the variable at fault."""
    try:
        prepare(PrepareSettings.from_environment())
    except SettingsError as error:
        sys.stderr.write(f"prepare: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
