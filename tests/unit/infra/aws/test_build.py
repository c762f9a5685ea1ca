"""What is built again, and what stays as it was built."""

import os
import py_compile
from pathlib import Path

import pytest

from infra.aws import build
from infra.aws.build import build_functions, digest_of
from infra.aws.imports import BuildError

TEMPLATE = """
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: build/one, Handler: functions.a.one.handle}
  Two:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: build/two, Handler: functions.b.two.handle}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two functions, of which one reads a file, and no library to install."""
    root = tmp_path / "root"
    for name, text in {
        "template.yaml": TEMPLATE,
        "functions/a/__init__.py": "",
        "functions/a/one.py": "import functions.shared.clock",
        "functions/a/names.csv": "a,b",
        "functions/b/__init__.py": "",
        "functions/b/two.py": "import json",
        "functions/shared/__init__.py": "",
        "functions/shared/clock.py": "import time",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "libraries").mkdir()
    monkeypatch.setattr(build, "install_libraries", lambda *_: tmp_path / "libraries")
    return root


def built(root: Path) -> dict[str, int]:
    """Builds, and gives each artifact's inode: another one when it was built again."""
    functions = build_functions(root / "build", None, root)
    return {function.folder.name: function.folder.stat().st_ino for function in functions}


def test_what_did_not_change_is_not_built_again(root: Path) -> None:
    first = built(root)

    assert built(root) == first


@pytest.mark.parametrize("changed", ["functions/shared/clock.py", "functions/a/names.csv"])
def test_a_changed_file_builds_the_functions_that_reach_it_again(root: Path, changed: str) -> None:
    first = built(root)
    digests = {name: digest_of(root / "build" / name) for name in first}
    (root / changed).write_text("import os")

    again = built(root)

    assert again["one"] != first["one"]
    assert again["two"] == first["two"]
    assert (root / "build/one" / changed).read_text() == "import os"
    assert digest_of(root / "build/one") not in {"", digests["one"]}
    assert digest_of(root / "build/two") == digests["two"]


def test_other_libraries_build_everything_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(root)
    (tmp_path / "others").mkdir()
    monkeypatch.setattr(build, "install_libraries", lambda *_: tmp_path / "others")

    again = built(root)
    assert all(again[name] != first[name] for name in ("one", "two"))


def test_an_artifact_cut_off_in_the_middle_is_built_again(root: Path) -> None:
    first = built(root)
    (root / "build/.one.digest").unlink()

    assert digest_of(root / "build/one") == ""
    assert built(root)["one"] != first["one"]


def test_an_artifact_has_its_own_modules_and_files_with_their_bytecode(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "compile_folder", lambda folder, _: _compile(folder))
    built(root)

    files = {
        path.relative_to(root / "build/one").as_posix()
        for path in (root / "build/one").rglob("*")
        if path.is_file()
    }
    sources = {
        "functions/a/__init__.py", "functions/a/one.py",
        "functions/shared/__init__.py", "functions/shared/clock.py",
    }  # fmt: skip
    compiled = {
        f"{Path(name).parent}/__pycache__/{Path(name).stem}.cpython-313.pyc" for name in sources
    }
    assert files == sources | compiled | {"functions/a/names.csv"}
    assert not list((root / "build").glob(".*-unfinished"))


def test_an_artifact_larger_than_lambda_takes_stops_the_build(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "LARGEST_ARTIFACT_BYTES", 10)

    with pytest.raises(BuildError, match=r"one is \d+ bytes, more than Lambda takes"):
        built(root)
    assert not (root / "build/one").exists()


def _compile(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        target = path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc"
        py_compile.compile(os.fspath(path), os.fspath(target))
