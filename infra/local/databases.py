"""Readying the databases at each start: roles, migrations, instruments, keys, the demo user.

Invariant: done twice, it changes nothing; a user's own server keeps the one role it was given by.
"""

from infra.local.demo import ensure_demo_user
from infra.local.home import Home, StoreAddresses
from infra.local.migrations import migrate
from infra.local.postgres import APPLICATION, EDGE, PostgresServer, connect, create_roles
from infra.local.seed import seed_instruments


def prepare_databases(
    home: Home,
    stores: StoreAddresses,
    embedded: bool,
    region: str,
    symbols: int | None = None,
) -> None:
    """`region`: where the demo user is at home; `symbols`: how many the exchange trades. Raises
    MigrationRefused and whatever the server refuses."""
    if embedded:
        PostgresServer.at(home, stores.postgres[0]).create_roles_and_databases()
    else:
        _create_group_roles(stores.postgres[0])
    migrate(stores.postgres)
    seed_instruments(stores.postgres, symbols=symbols)
    ensure_demo_user(home, stores, region)


def _create_group_roles(url: str) -> None:
    """The roles that migrations grant to; the user's own role is used for everything."""
    connection = connect(url)
    try:
        create_roles(connection, {APPLICATION: None, EDGE: None})
    finally:
        connection.close()
