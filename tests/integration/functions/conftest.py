"""What functions are given, on real servers: two migrated shards, a Valkey, secrets in files.

The tests of a module share their shards, each with users of its own, and their Valkey, which each
finds alive and empty: a test may kill it.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
import redis
from argon2 import PasswordHasher

from functions.audit import carry_out
from functions.auth import handler as auth
from functions.shared.access import passwords
from functions.shared.access.accounts import create_user
from functions.shared.access.keys import make_keys
from functions.shared.access.personal_data import personal_key
from functions.shared.access.roles import Role, change_role
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.settings import StoreSettings
from functions.shared.stores.postgres import Shards
from infra.local.postgres import APPLICATION, EDGE, OWNER
from tests.support.logins import PASSWORD, Customer, LoginClock, Mailbox
from tests.support.officers import Hire, Person
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
            rate_user=0,
            rate_address=0,
            rate_stranger=0,
            search_url=f"file://{tmp_path / 'search'}",
        )
    )
    make_keys(made.secrets)
    monkeypatch.setattr(composition, "stores", lambda: made)
    yield made
    made.close()


@pytest.fixture
def owner(module_databases: ShardsUnderTest) -> Iterator[Shards]:
    """The shards as the machine's operator has them."""
    made = Shards(module_databases.urls(OWNER), "test-owner")
    yield made
    made.close()


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that costs next to nothing; its count is what matters here."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody's password"))


@pytest.fixture
def login_clock(monkeypatch: pytest.MonkeyPatch) -> LoginClock:
    made = LoginClock()
    monkeypatch.setattr(auth, "wall_now", made)
    return made


@pytest.fixture
def mailbox(stores: Stores) -> Mailbox:
    made = Mailbox()
    stores.__dict__["mail"] = made
    return made


@pytest.fixture
def customer(
    stores: Stores,
    login_clock: LoginClock,
    mailbox: Mailbox,
    owner: Shards,
    cheap_hashes: None,
) -> Customer:
    """One with a mail address on file."""
    name, secret = f"u{uuid.uuid4().hex[:12]}", pyotp.random_base32(32)
    user_id = create_user(
        stores.shards, stores.secrets, username=name, password=PASSWORD, totp_secret=secret
    )
    key = personal_key(stores.shards, stores.secrets, user_id)
    owner.control.run(
        "SELECT identity.put_personal(:user::bigint, ARRAY['mail'], :sealed::bytea[], now())",
        user=user_id,
        sealed=[key.encrypt("mail", "asha@home.example")],
    )
    return Customer(user_id, name, secret, login_clock)


@pytest.fixture
def hire(stores: Stores, owner: Shards) -> Hire:
    def hired(*roles: Role) -> Person:
        name = f"u{uuid.uuid4().hex[:12]}"
        user_id = create_user(
            stores.shards, stores.secrets, username=name, password="a long one",
            totp_secret="A" * 32,
        )  # fmt: skip
        open_account(stores.shards, user_id, stores.clock.now())
        for role in roles:
            entry = change_role(owner, user_id, role, "hired", grant=True)
            assert carry_out.carry_out(stores, entry)
        return Person(stores, user_id, ("user", *roles))

    return hired
