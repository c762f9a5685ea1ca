"""What a handler reaches, read from its source."""

from pathlib import Path

import pytest

from infra.aws.imports import BuildError, reach_of


def tree(root: Path, **files: str) -> Path:
    """`functions__shared__clock="..."` is the file functions/shared/clock.py."""
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if len(path.relative_to(root).parts) > 2:
            (path.parent / "__init__.py").touch()
    return root


def names(root: Path, module: str) -> set[str]:
    return {str(path.relative_to(root)) for path in reach_of(module, root).files}


def test_imports_are_followed_through_our_modules(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        functions__a__handler="from functions.shared import clock\nimport msgspec",
        functions__shared__clock="import redis.asyncio",
        functions__shared__unused="import boto3",
    )

    assert names(root, "functions.a.handler") == {
        "functions/a/__init__.py",
        "functions/a/handler.py",
        "functions/shared/__init__.py",
        "functions/shared/clock.py",
    }
    assert reach_of("functions.a.handler", root).libraries == {"msgspec", "redis.asyncio"}


def test_an_import_inside_a_function_counts_and_one_for_the_type_checker_does_not(
    tmp_path: Path,
) -> None:
    root = tree(
        tmp_path,
        functions__a__handler=(
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import pydantic\n"
            "def handle():\n    import pyotp\n"
        ),
    )

    assert reach_of("functions.a.handler", root).libraries == {"typing", "pyotp"}


def test_a_relative_import_is_followed(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        functions__a__handler="from .answers import ok\nfrom . import other",
        functions__a__answers="ok = 1",
        functions__a__other="",
    )

    assert {"functions/a/answers.py", "functions/a/other.py"} <= names(root, "functions.a.handler")


@pytest.mark.parametrize("module", ["edge.relay.main", "infra.local", "tui.app"])
def test_a_way_out_of_the_functions_stops_the_build(tmp_path: Path, module: str) -> None:
    root = tree(tmp_path, functions__a__handler=f"import {module}")

    with pytest.raises(BuildError, match=module):
        reach_of("functions.a.handler", root)


def test_a_module_that_is_not_there_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"functions\.gone"):
        reach_of("functions.gone", tmp_path)


def test_the_aws_services_a_function_calls_are_read_from_the_calls(tmp_path: Path) -> None:
    root = tree(
        tmp_path, functions__a__handler='import boto3\nc = boto3.client("kinesis", region_name="x")'
    )

    assert reach_of("functions.a.handler", root).services == {"kinesis"}


def test_a_service_named_by_a_variable_stops_the_build(tmp_path: Path) -> None:
    root = tree(tmp_path, functions__a__handler="import boto3\nc = boto3.client(name)")

    with pytest.raises(BuildError, match="name the AWS service"):
        reach_of("functions.a.handler", root)
