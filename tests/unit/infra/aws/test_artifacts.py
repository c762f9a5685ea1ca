"""Artifacts are named by what they were built of, and uploaded once."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.aws.artifacts import upload_artifact, zip_folder

BUCKET = "artifacts"


@pytest.fixture
def s3(aws: str) -> Any:
    client = boto3.client("s3")
    where = {"LocationConstraint": aws}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    return client


def folder(path: Path, text: str = "x = 1\n") -> Path:
    (path / "functions/a").mkdir(parents=True)
    (path / "functions/a/handler.py").write_text(text)
    (path / "b.txt").write_text("b")
    return path


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    os.utime(two / "b.txt", (0, 0))

    assert zip_folder(one) == zip_folder(two)


def test_a_zip_holds_paths_from_the_folder_that_anybody_may_read(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(zip_folder(folder(tmp_path / "one"))))

    assert archive.namelist() == ["b.txt", "functions/a/handler.py"]
    assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_an_artifact_built_of_the_same_keeps_its_key_and_a_changed_one_gets_another(
    s3: Any, tmp_path: Path
) -> None:
    first = upload_artifact(s3, BUCKET, folder(tmp_path / "1/orders"), "a" * 64)
    again = upload_artifact(s3, BUCKET, tmp_path / "gone/orders", "a" * 64)
    changed = upload_artifact(s3, BUCKET, folder(tmp_path / "3/orders", "x = 2\n"), "b" * 64)

    assert first == again != changed
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 2
