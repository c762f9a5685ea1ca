"""Where a login comes from: addresses behind proxies, networks, countries, devices' cookies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.access.addresses import caller_address, parse_networks
from functions.shared.access.challenges import TRIES, code_digest, new_challenge
from functions.shared.access.countries import LOCAL, country_of
from functions.shared.access.devices import (
    COOKIE,
    device_cookie,
    device_digest,
    new_device_token,
    token_of_cookies,
)
from functions.shared.access.throttle import network_of
from functions.shared.clock import wall_now
from functions.shared.settings import SettingsError

PROXIES = parse_networks("OUTCRY_TRUSTED_PROXIES", ["10.0.0.0/8", "2001:db8::1"])


@pytest.mark.parametrize(
    ("source", "forwarded", "caller"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # no proxy of ours: a client's own words
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what it sent stands before ours
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("2001:db8::1", "2001:db8:1::9", "2001:db8:1::9"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, not an address", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2,10.0.0.3", "10.0.0.2"),
        ("unknown", "198.51.100.1", "unknown"),
    ],
)
def test_only_a_proxy_that_was_named_speaks_for_another(
    source: str, forwarded: str, caller: str
) -> None:
    assert caller_address(source, forwarded, PROXIES) == caller


@given(st.text(max_size=60))
def test_without_named_proxies_nothing_a_client_writes_is_believed(forwarded: str) -> None:
    assert caller_address("203.0.113.7", forwarded, ()) == "203.0.113.7"


def test_a_proxy_that_is_no_network_stops_the_start_by_name() -> None:
    with pytest.raises(SettingsError, match="OUTCRY_TRUSTED_PROXIES"):
        parse_networks("OUTCRY_TRUSTED_PROXIES", ["10.0.0.0/33"])


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("127.0.0.1", LOCAL), ("10.1.2.3", LOCAL), ("100.64.0.1", LOCAL), ("203.0.113.7", LOCAL),
        ("::1", LOCAL), ("fd00::1", LOCAL), ("2001:db8::1", LOCAL), ("::ffff:192.168.1.1", LOCAL),
        ("8.8.8.8", "US"), ("49.36.0.1", "IN"), ("::ffff:49.36.0.1", "IN"), ("133.11.0.1", "JP"),
        ("2606:4700::1111", None), ("unknown", None), ("", None),
    ],
)  # fmt: skip
def test_a_country_is_of_the_table_and_what_no_provider_hands_out_is_local(
    address: str, country: str | None
) -> None:
    assert country_of(address) == country


@given(st.ip_addresses())
def test_every_address_has_a_network_and_a_country_or_none(address: object) -> None:
    text = str(address)
    assert network_of(text)
    assert country_of(text) is None or country_of(text) == LOCAL or len(country_of(text) or "") == 2


def test_an_ipv4_address_wrapped_in_ipv6_is_the_same_subscriber() -> None:
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7") == "203.0.113.7"


def test_a_devices_token_travels_by_a_cookie_that_no_script_reads() -> None:
    token = new_device_token()
    cookie = device_cookie(token)
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/v1/auth"} <= set(cookie.split("; "))
    assert token_of_cookies([f"a=b; {COOKIE}={token}; c=d"]) == token
    assert token_of_cookies(["a=b", f"{COOKIE}={token}"]) == token
    assert token_of_cookies([f"x{COOKIE}={token}", f"{COOKIE}=", f"{COOKIE}={'x' * 65}"]) is None
    assert token.encode() not in device_digest(token)


def test_a_challenge_shows_neither_its_id_nor_its_code() -> None:
    challenge = new_challenge(wall_now())
    assert len(challenge.code) == 6
    assert challenge.code.isdecimal()
    assert challenge.code not in repr(challenge)
    assert challenge.challenge_id not in repr(challenge)
    assert challenge.code_digest == code_digest(challenge.challenge_id, challenge.code)
    assert challenge.code_digest != code_digest(
        new_challenge(wall_now()).challenge_id, challenge.code
    )
    assert TRIES == 5
