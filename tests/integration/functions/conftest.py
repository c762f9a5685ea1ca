"""What functions are given, on real servers: two migrated shards, a Valkey, secrets in files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.access.keys import make_keys
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.settings import StoreSettings
from tests.support.valkey import ValkeyUnderTest, valkey_server


@pytest.fixture
def valkey() -> Iterator[ValkeyUnderTest]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def stores(
    application_urls: list[str],
    valkey: ValkeyUnderTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stores]:
    """The stores of this test's functions, with fresh keys."""
    made = Stores(
        StoreSettings(
            postgres_urls=tuple(application_urls),
            valkey_url=valkey.url,
            secrets_url=f"file://{tmp_path / 'secrets'}",
        )
    )
    make_keys(made.secrets)
    monkeypatch.setattr(composition, "stores", lambda: made)
    yield made
    made.shards.close()
    made.valkey.close()
