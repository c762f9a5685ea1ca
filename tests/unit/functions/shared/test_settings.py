"""Settings: what is missing, unknown or malformed is named, and nothing else is read."""

from pathlib import Path

import pytest

from functions.shared.settings import (
    Settings,
    SettingsError,
    StoreSettings,
    file_url_path,
    split_address,
)

SOUND = {
    "OUTCRY_POSTGRES_URLS": "postgresql://a@h/0,postgresql://a@h/1",
    "OUTCRY_VALKEY_URL": "redis://h",
    "OUTCRY_SECRETS_URL": "file:///secrets",
}


class Port(Settings, frozen=True, kw_only=True):
    order_sessions: int = 2


def test_variables_become_fields_and_lists_are_split() -> None:
    settings = StoreSettings.from_environment({**SOUND, "PATH": "/bin", "HOME": "/"})
    assert settings.postgres_urls == ("postgresql://a@h/0", "postgresql://a@h/1")
    assert (settings.clock, settings.log_level) == ("real", "INFO")


@pytest.mark.parametrize("name", SOUND)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        StoreSettings.from_environment({n: v for n, v in SOUND.items() if n != name})


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="OUTCRY_VALKY_URL"):
        StoreSettings.from_environment({**SOUND, "OUTCRY_VALKY_URL": "redis://h"})


def test_a_malformed_number_is_named() -> None:
    assert Port.from_environment({"OUTCRY_ORDER_SESSIONS": "3"}).order_sessions == 3
    with pytest.raises(SettingsError, match="OUTCRY_ORDER_SESSIONS"):
        Port.from_environment({"OUTCRY_ORDER_SESSIONS": "three"})


def test_a_process_is_not_given_what_another_reads() -> None:
    environment = {"OUTCRY_ORDER_SESSIONS": "3", "OUTCRY_VALKEY_URL": "redis://h"}
    assert Port.from_environment(environment) == Port(order_sessions=3)


@pytest.mark.parametrize("text", ["", "h", ":1", "h:", "h:x", "h:65536", "h:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        split_address(text)


def test_addresses_and_file_urls_are_split() -> None:
    assert split_address("127.0.0.1:7400") == ("127.0.0.1", 7400)
    assert split_address("::1:7400") == ("::1", 7400)
    assert file_url_path("file:///a/b") == Path("/a/b")
    assert file_url_path("aws:ap-south-1") is None
