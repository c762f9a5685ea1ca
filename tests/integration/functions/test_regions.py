"""Two regions, each with its own databases, cache and keys: a user of one is not in the other."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from functions.auth import authorizer
from functions.ledger import handler as ledger
from functions.shared.access.accounts import create_user
from functions.shared.access.keys import DIRECTORY_KEY, make_keys
from functions.shared.access.regions import Regions, home_logins, learn_logins
from functions.shared.domain.errors import Conflict
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.settings import SettingsError, StoreSettings
from infra.local.postgres import APPLICATION
from tests.integration.functions.test_auth import PASSWORD, User, log_in, make_user, send
from tests.support.api_events import Answer, api_event, call
from tests.support.postgres import PostgresUnderTest, fresh_databases
from tests.support.valkey import valkey_server

ADDRESSES = {"IN": "https://in.example", "SG": "https://sg.example"}
DIRECTORY = base64.b64encode(bytes(32)).decode()


@dataclass(frozen=True)
class TwoRegions:
    """Both regions' stores; `enter` says which one answers."""

    home: Stores
    other: Stores
    patch: pytest.MonkeyPatch

    def enter(self, stores: Stores) -> None:
        self.patch.setattr(composition, "stores", lambda: stores)


@contextlib.contextmanager
def region(name: str, postgres: PostgresUnderTest, folder: Path) -> Iterator[Stores]:
    with fresh_databases(postgres) as databases, valkey_server() as valkey:
        stores = Stores(
            StoreSettings(
                postgres_urls=tuple(databases.urls(APPLICATION)),
                valkey_url=valkey.url,
                secrets_url=f"file://{folder / name}",
                rate_user=0,
                rate_address=0,
                rate_stranger=0,
                region=name,
                regions=tuple(f"{key}={address}" for key, address in ADDRESSES.items()),
            )
        )
        stores.secrets.put_new(DIRECTORY_KEY, DIRECTORY)  # the one key that regions share
        make_keys(stores.secrets)
        yield stores
        stores.shards.close()
        stores.valkey.close()


@pytest.fixture
def regions(
    postgres: PostgresUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TwoRegions]:
    with region("IN", postgres, tmp_path) as home, region("SG", postgres, tmp_path) as other:
        two = TwoRegions(home, other, monkeypatch)
        two.enter(home)
        yield two


def is_sent_to(answer: Answer, name: str) -> bool:
    told = {key: answer.body.get(key) for key in ("status", "code", "region", "location")}
    return told == {
        "status": 421, "code": "WRONG_REGION", "region": name, "location": ADDRESSES[name],
    }  # fmt: skip


def test_a_token_of_another_region_is_sent_home(regions: TwoRegions) -> None:
    user = make_user(regions.home)
    token = log_in(user).body["access_token"]
    assert send("GET", "/v1/profile", token=token).body["region"] == "IN"
    regions.enter(regions.other)
    assert is_sent_to(send("GET", "/v1/profile", token=token), "IN")
    assert is_sent_to(
        call(ledger.lambda_handler, api_event("GET", "/v1/funds", None, token=token)), "IN"
    )


def test_the_gateways_authorizer_lets_the_function_say_where_to_go(regions: TwoRegions) -> None:
    token = log_in(make_user(regions.home)).body["access_token"]
    regions.enter(regions.other)
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": "arn"}
    policy = authorizer.lambda_handler(event, None)
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    assert policy["context"] == {}


def test_a_token_that_claims_a_region_nobody_knows_is_not_one_of_ours(
    regions: TwoRegions, tmp_path: Path, postgres: PostgresUnderTest
) -> None:
    with region("US", postgres, tmp_path) as third:
        regions.enter(third)
        token = log_in(make_user(third)).body["access_token"]
    regions.enter(regions.other)
    assert send("GET", "/v1/profile", token=token).body["code"] == "TOKEN_INVALID"


def test_a_refresh_token_of_another_region_is_sent_home_and_stays_good(
    regions: TwoRegions,
) -> None:
    refresh = {"refresh_token": log_in(make_user(regions.home)).body["refresh_token"]}
    regions.enter(regions.other)
    assert is_sent_to(send("POST", "/v1/auth/refresh", refresh), "IN")
    regions.enter(regions.home)
    assert send("POST", "/v1/auth/refresh", refresh).status == 200


def test_a_login_at_the_wrong_door_is_sent_home_once_the_regions_have_spoken(
    regions: TwoRegions,
) -> None:
    user = make_user(regions.home)
    regions.enter(regions.other)
    assert log_in(user).body["code"] == "INVALID_CREDENTIALS"
    digests = list(home_logins(regions.home.shards, regions.home.secrets))
    learn_logins(regions.other.shards, "IN", digests)
    learn_logins(regions.other.shards, "IN", digests)
    assert is_sent_to(log_in(user), "IN")
    assert is_sent_to(log_in(user, password="wrong wrong"), "IN")
    stranger = User(0, "nobody-at-all", user.secret)
    assert log_in(stranger).body["code"] == "INVALID_CREDENTIALS"


def test_a_user_name_of_another_region_is_taken_here_too(regions: TwoRegions) -> None:
    user = make_user(regions.home)
    digests = list(home_logins(regions.home.shards, regions.home.secrets))
    learn_logins(regions.other.shards, "IN", digests)
    with pytest.raises(Conflict):
        create_user(
            regions.other.shards, regions.other.secrets, username=user.username.upper(),
            password=PASSWORD, totp_secret=user.secret, region="SG",
        )  # fmt: skip


def test_what_one_region_tells_another_names_nobody(regions: TwoRegions) -> None:
    user = make_user(regions.home)
    learn_logins(
        regions.other.shards, "IN", list(home_logins(regions.home.shards, regions.home.secrets))
    )
    [[digest, name]] = regions.other.shards.control.run(
        "SELECT digest, region FROM identity.login_elsewhere"
    )
    assert (len(digest), name) == (32, "IN")
    assert user.username.encode() not in digest


@pytest.mark.parametrize(
    ("home", "pairs", "variable"),
    [("in", [], "OUTCRY_REGION"), ("IN", ["SG"], "OUTCRY_REGIONS"),
     ("IN", ["SG=ftp://x"], "OUTCRY_REGIONS")],
)  # fmt: skip
def test_a_malformed_region_is_refused_at_start(home: str, pairs: list[str], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable + ":"):
        Regions.parse(home, pairs)
