"""What every object store does: files, and S3 (simulated, or at AWS_ENDPOINT_URL)."""

import os
import uuid
from pathlib import Path

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import Conflict, NotFound, Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores.objects import Objects, open_objects

SERVER = os.environ.get("AWS_ENDPOINT_URL")
REGION = "ap-south-1"


@pytest.fixture(params=["files", "simulated", "server"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "files":
        return open_objects(f"file://{tmp_path}/objects")
    bucket = f"outcry-{uuid.uuid4().hex}"
    if request.param == "simulated":
        region = request.getfixturevalue("aws")
        boto3.client("s3").create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": region},
            ObjectLockEnabledForBucket=True,
        )
        return open_objects(f"s3://{bucket}")
    if SERVER is None:
        pytest.skip("AWS_ENDPOINT_URL is not set")
    boto3.client("s3", endpoint_url=SERVER, region_name=REGION).create_bucket(
        Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=True,
    )
    return open_objects(f"s3://{bucket}@{SERVER}")


def test_an_object_is_read_as_it_was_written(objects: Objects) -> None:
    data = bytes(range(256)) * 1_000
    objects.put_new("statements/2026/07/7.pdf", data)
    assert objects.get("statements/2026/07/7.pdf") == data


def test_an_object_that_was_never_written_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFound):
        objects.get("nothing/here")


def test_the_same_bytes_again_are_no_error_and_others_are_refused(objects: Objects) -> None:
    objects.put_new("audit/1", b"first")
    objects.put_new("audit/1", b"first")
    with pytest.raises(Conflict) as conflict:
        objects.put_new("audit/1", b"second")
    assert conflict.value.code == "OBJECT_EXISTS"
    assert objects.get("audit/1") == b"first"


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", "a b", "a\x00", "x" * 513]
)
def test_a_key_out_of_shape_is_our_bug(objects: Objects, key: str) -> None:
    with pytest.raises(ValueError, match="is not an object's key"):
        objects.put_new(key, b"")
    with pytest.raises(ValueError, match="is not an object's key"):
        objects.get(key)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=500))
def test_any_bytes_come_back_whole_from_files(tmp_path: Path, data: bytes) -> None:
    store, key = open_objects(f"file://{tmp_path}"), uuid.uuid4().hex
    store.put_new(key, data)
    assert store.get(key) == data


def test_object_files_can_not_be_written_again(tmp_path: Path) -> None:
    open_objects(f"file://{tmp_path}").put_new("a/b", b"data")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o400


def test_a_bucket_that_is_away_is_retryable(aws: str) -> None:
    store = open_objects("s3://no-such-bucket-here")
    with pytest.raises(Retryable):
        store.put_new("a", b"data")
    with pytest.raises(Retryable):
        store.get("a")


@pytest.mark.parametrize("url", ["", "s3:bucket", "http://x"])
def test_an_address_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_OBJECTS_URL"):
        open_objects(url)
