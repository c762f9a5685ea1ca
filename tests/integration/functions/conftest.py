"""What functions are given, on real servers: two migrated shards, a Valkey, secrets in files.

The tests of a module share their shards, each with users of its own, and their Valkey, which each
finds alive and empty: a test may kill it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from functions.shared.access.keys import make_keys
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.settings import StoreSettings
from infra.local.postgres import APPLICATION, EDGE
from tests.support.postgres import PostgresUnderTest, ShardsUnderTest, fresh_databases
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture(scope="module")
def module_databases(postgres: PostgresUnderTest) -> Iterator[ShardsUnderTest]:
    with fresh_databases(postgres) as made:
        yield made


@pytest.fixture
def edge_urls(module_databases: ShardsUnderTest) -> list[str]:
    return module_databases.urls(EDGE)


@pytest.fixture(scope="module")
def module_valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def valkey(module_valkey: ValkeyUnderTest) -> ValkeyUnderTest:
    if module_valkey.process is None:
        module_valkey.start()
    with redis.Redis.from_url(module_valkey.url) as client:
        client.flushall()
    return module_valkey


@pytest.fixture
def stores(
    module_databases: ShardsUnderTest,
    valkey: ValkeyUnderTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stores]:
    """The stores that this test's functions are given, with fresh keys."""
    made = Stores(
        StoreSettings(
            postgres_urls=tuple(module_databases.urls(APPLICATION)),
            valkey_url=valkey.url,
            secrets_url=f"file://{tmp_path / 'secrets'}",
        )
    )
    make_keys(made.secrets)
    monkeypatch.setattr(composition, "stores", lambda: made)
    yield made
    made.shards.close()
    made.valkey.close()
