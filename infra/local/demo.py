"""The demo user and its like: paper accounts with ₹10,00,000, on this machine only.

Invariant: credentials are on disk before the user exists, so a start cut short is finished by the
next one and never leaves a user nobody can sign in as.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from functions.shared.access.accounts import create_user, find_login
from functions.shared.access.keys import make_keys
from functions.shared.access.one_time_codes import new_secret
from functions.shared.bookkeeping.accounts import (
    Registration,
    deposit,
    open_account,
    register_algo,
)
from functions.shared.clock import open_clock, trade_date
from functions.shared.domain.accounts import AccountClass
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets, open_secrets
from infra.local.home import DemoUser, Home, StoreAddresses

OPENING_AMOUNT = 10_00_000_00  # paise
COUNT_MOST = 10_000
_DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Terms:
    """What class of client the users are; `per_second`: the orders a second that a registered
    strategy may place, None without a registration."""

    account_class: AccountClass
    per_second: int | None = None


RETAIL = Terms(AccountClass.RETAIL)


def ensure_demo_user(home: Home, stores: StoreAddresses, region: str) -> DemoUser:
    """The home's demo user, made at the first start."""
    user = home.read_demo_user()
    if user is None:
        user = _new_credentials(_DEMO)
        home.write(home.demo_user_file, msgspec.json.encode(user))
    with_stores = _Opened(home, stores, region)
    try:
        with_stores.create(user)
    finally:
        with_stores.close()
    return user


def create_demo_users(
    home: Home, stores: StoreAddresses, region: str, count: int, terms: Terms
) -> list[DemoUser]:
    """New paper users with names of their own; their credentials are told once, here."""
    users = [_new_credentials(f"{_DEMO}-{secrets.token_hex(5)}") for _ in range(count)]
    opened = _Opened(home, stores, region)
    try:
        for user in users:
            opened.create(user, terms)
    finally:
        opened.close()
    return users


class _Opened:
    """The stores an account is made in, as the databases' owner."""

    def __init__(self, home: Home, stores: StoreAddresses, region: str) -> None:
        self._region = region
        self._shards = Shards(stores.postgres, "demo-user")
        self._secrets: Secrets = open_secrets(stores.secrets)
        self._now: datetime = open_clock(f"file://{home.clock}").now()
        make_keys(self._secrets)

    def create(self, user: DemoUser, terms: Terms = RETAIL) -> None:
        login = find_login(self._shards, user.username)
        user_id = login.user_id if login else self._create_login(user)
        open_account(self._shards, user_id, self._now, terms.account_class)
        if terms.per_second is not None:
            self._register(user_id, terms.per_second)
        deposit(self._shards, user_id, "opening", OPENING_AMOUNT, trade_date(self._now), self._now)

    def _register(self, user_id: int, per_second: int) -> None:
        """A year's registration at that rate, a minute's and a day's in proportion."""
        today = trade_date(self._now)
        registration = Registration(
            valid_from=today,
            valid_to=today + timedelta(days=365),
            algo_id=f"PAPER-{user_id}",
            per_second=per_second,
            per_minute=60 * per_second,
            per_day=6 * 60 * 60 * per_second,
        )
        register_algo(self._shards, user_id, registration)

    def _create_login(self, user: DemoUser) -> int:
        return create_user(
            self._shards,
            self._secrets,
            username=user.username,
            password=user.password,
            totp_secret=user.totp_secret,
            region=self._region,
            mode="PAPER",
        )

    def close(self) -> None:
        self._shards.close()


def _new_credentials(username: str) -> DemoUser:
    return DemoUser(
        username=username,
        password=secrets.token_urlsafe(12),
        totp_secret=new_secret(),
    )
