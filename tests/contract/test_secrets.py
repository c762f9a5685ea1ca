"""What every secrets store does: files, and Secrets Manager (simulated, or at AWS_ENDPOINT_URL)."""

import os
import threading
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import Conflict, NotFound
from functions.shared.settings import SettingsError
from functions.shared.stores.secrets import Secrets, open_secrets

SERVER = os.environ.get("AWS_ENDPOINT_URL")


@pytest.fixture(params=["files", "simulated", "server"])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Secrets:
    if request.param == "files":
        return open_secrets(f"file://{tmp_path}/secrets")
    if request.param == "simulated":
        return open_secrets(f"aws:{request.getfixturevalue('aws')}")
    if SERVER is None:
        pytest.skip("AWS_ENDPOINT_URL is not set")
    return open_secrets(f"aws:us-east-1@{SERVER}")


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex}"


def test_a_secret_is_read_as_it_was_written(secrets: Secrets, name: str) -> None:
    secrets.put_new(name, '{"private": "a\nb", "rupee": "₹"}')
    assert secrets.get(name) == '{"private": "a\nb", "rupee": "₹"}'


def test_a_secret_that_was_never_written_is_not_found(secrets: Secrets, name: str) -> None:
    with pytest.raises(NotFound):
        secrets.get(name)


def test_a_secret_is_written_once(secrets: Secrets, name: str) -> None:
    secrets.put_new(name, "first")
    with pytest.raises(Conflict) as conflict:
        secrets.put_new(name, "second")
    assert conflict.value.code == "SECRET_EXISTS"
    assert "second" not in str(conflict.value)
    assert secrets.get(name) == "first"


@pytest.mark.parametrize("secrets", ["files"], indirect=True)
def test_of_two_writers_at_once_one_wins(secrets: Secrets, name: str) -> None:
    """Not on a simulation of AWS, LocalStack's the same: it looks for the name and takes it in two
    steps, between which another may come."""
    outcomes: list[str] = []

    def write(value: str) -> None:
        try:
            secrets.put_new(name, value)
            outcomes.append(value)
        except Conflict:
            outcomes.append("refused")

    writers = [threading.Thread(target=write, args=(f"value {i}",)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert outcomes.count("refused") == 3
    assert secrets.get(name) in outcomes


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "UPPER", "x" * 65, "a\x00b"])
def test_a_name_out_of_shape_is_our_bug(secrets: Secrets, name: str) -> None:
    with pytest.raises(ValueError, match="is not a secret's name"):
        secrets.get(name)
    with pytest.raises(ValueError, match="is not a secret's name"):
        secrets.put_new(name, "value")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_text_comes_back_whole_from_files(tmp_path: Path, value: str) -> None:
    store, name = open_secrets(f"file://{tmp_path}"), f"s-{uuid.uuid4().hex}"
    store.put_new(name, value)
    assert store.get(name) == value


def test_secret_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    store = open_secrets(f"file://{tmp_path}/secrets")
    store.put_new("token-key", "value")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "token-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["token-key"]


@pytest.mark.parametrize("url", ["", "http://x", "aws", "vault://x"])
def test_an_address_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_SECRETS_URL"):
        open_secrets(url)
