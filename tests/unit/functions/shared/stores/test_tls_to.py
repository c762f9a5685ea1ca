"""Which PostgreSQL servers are asked for TLS."""

import ssl
from urllib.parse import urlsplit

import pytest

from functions.shared.stores.postgres import tls_to

FAR = "postgresql://u:p@db.example:5432/outcry"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_server_on_the_loopback_is_not_asked(host: str) -> None:
    assert tls_to(urlsplit(f"postgresql://u:p@{host}:5432/outcry")) is False


def test_a_server_elsewhere_is_asked_and_may_have_none() -> None:
    assert tls_to(urlsplit(FAR)) is None


@pytest.mark.parametrize("address", [FAR, "postgresql://u:p@127.0.0.1:5432/outcry"])
def test_one_that_must_have_it_shows_a_certificate_that_is_checked(address: str) -> None:
    context = tls_to(urlsplit(f"{address}?sslmode=require"))

    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
