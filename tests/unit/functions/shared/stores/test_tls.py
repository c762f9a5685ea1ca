"""A shard is spoken to in the clear, encrypted, or encrypted with its certificate checked."""

import ssl
from urllib.parse import urlsplit

import pytest

from functions.shared.stores.postgres import tls_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_shard_on_this_machine_is_spoken_to_in_the_clear(host: str) -> None:
    assert tls_of(urlsplit(f"postgresql://u:p@{host}:5432/x")) is False


@pytest.mark.parametrize("host", ["10.0.0.7", "db.example.com", "localhost.example.com"])
def test_a_shard_elsewhere_is_spoken_to_encrypted_if_it_can(host: str) -> None:
    assert tls_of(urlsplit(f"postgresql://u:p@{host}:5432/x")) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "db.example.com"])
def test_where_the_address_requires_it_the_certificate_and_its_name_are_checked(host: str) -> None:
    context = tls_of(urlsplit(f"postgresql://u:p@{host}/x?sslmode=require"))
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
