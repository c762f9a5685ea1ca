"""A stand-in for AWS inside the test's process, and credentials that open nothing else."""

from collections.abc import Iterator

import pytest

REGION = "ap-south-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """AWS is simulated while the test runs; the value is its region."""
    from moto import mock_aws  # here: seconds of imports that few processes need

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield REGION
