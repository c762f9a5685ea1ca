"""Builds each function's artifact: `make build-functions`, or `python -m infra.aws.build`.

template.yaml -> what each handler reaches -> build/NAME with these modules, their libraries for
Lambda's platform, and the bytecode of both. Invariant: an artifact holds what its handler imports
and nothing else, needs nothing but a bare Python 3.13, and is complete or not there. One whose
sources and libraries are the same as when it was built stays as it is.
"""

import argparse
import fcntl
import functools
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.aws.imports import BuildError, Reach, reach_of, read_source
from infra.aws.libraries import (
    compile_folder,
    compiled_of,
    files_for,
    find_python,
    install_libraries,
)
from infra.aws.template import ROOT, Function, functions_of, load_template

# AWS: "The unzipped size of the function and its layers: 250 MB".
LARGEST_ARTIFACT_BYTES = 250 * 1024 * 1024
_BUILDER = ("build.py", "imports.py", "libraries.py")


class _Plan(NamedTuple):
    """What a function's artifact is made of, and the digest of it all."""

    function: Function
    reach: Reach
    sources: frozenset[Path]
    digest: str


def build_functions(build: Path, python: Path | None, root: Path = ROOT) -> tuple[Function, ...]:
    """Builds every function of the template into a folder of `build`. Raises BuildError."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time in one folder
        site = install_libraries(build, python)
        plans = _plans(build, site, root)
        stale = [plan for plan in plans if digest_of(plan.function.folder) != plan.digest]
        if stale:
            modules = _compile_modules(stale, build, python, root)
            for plan in stale:
                _build(plan, modules, site, root)
            shutil.rmtree(modules)
    return tuple(plan.function for plan in plans)


def digest_of(folder: Path) -> str:
    """The digest of what the artifact was built of; empty when it is not there whole."""
    stamp = _stamp(folder)
    return stamp.read_text() if folder.is_dir() and stamp.is_file() else ""


def _stamp(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.digest")


def _plans(build: Path, site: Path, root: Path) -> list[_Plan]:
    # Most functions reach the same modules: each is read once.
    source_of, content_of = functools.cache(read_source), functools.cache(_content_of)
    data_in = functools.cache(_data_in)
    builder = [content_of(Path(__file__).with_name(name)) for name in _BUILDER]
    plans = []
    for function in functions_of(load_template(root / "template.yaml"), root):
        reach = reach_of(function.module, root, source_of)
        folders = {file.parent for file in reach.files}
        sources = reach.files.union(*(data_in(folder) for folder in folders))
        lines = [site.name, *builder, *sorted(reach.libraries), *sorted(reach.services)]
        lines += [f"{path.relative_to(root)} {content_of(path)}" for path in sorted(sources)]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        built = function._replace(folder=build / function.folder.name)
        plans.append(_Plan(built, reach, frozenset(sources), digest))
    return plans


def _content_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _data_in(folder: Path) -> frozenset[Path]:
    """Files that a folder's modules read rather than import."""
    return frozenset(
        path for path in folder.iterdir() if path.is_file() and path.suffix not in {".py", ".pyc"}
    )


def _compile_modules(plans: Iterable[_Plan], build: Path, python: Path | None, root: Path) -> Path:
    """A folder with the sources of all these functions and their bytecode, compiled once."""
    modules = build / ".modules-unfinished"
    shutil.rmtree(modules, ignore_errors=True)
    for path in frozenset[Path]().union(*(plan.sources for plan in plans)):
        target = modules / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    compile_folder(modules, python)
    return modules


def _build(plan: _Plan, modules: Path, site: Path, root: Path) -> None:
    folder = plan.function.folder
    unfinished = folder.with_name(f".{folder.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    ours = {path.relative_to(root) for path in plan.sources}
    compiled = {compiled_of(path) for path in ours if path.suffix == ".py"}
    _link(ours | {path for path in compiled if (modules / path).is_file()}, modules, unfinished)
    _link(files_for(plan.reach.libraries, plan.reach.services, site), site, unfinished)
    size = size_of(unfinished)
    if size > LARGEST_ARTIFACT_BYTES:
        raise BuildError(f"{folder.name} is {size} bytes, more than Lambda takes")
    _stamp(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    _stamp(folder).write_text(plan.digest)


def _link(paths: Iterable[Path], source: Path, target: Path) -> None:
    """Puts these files of `source` into `target` without a second copy of them."""
    folders: set[Path] = set()
    for path in paths:
        if path.parent not in folders:
            folders.add(path.parent)
            (target / path.parent).mkdir(parents=True, exist_ok=True)
        os.link(source / path, target / path)


def size_of(folder: Path) -> int:
    """Bytes of every file below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds, and prints one line a function. Exit 1 with the reason when it can't."""
    parser = argparse.ArgumentParser(prog="build-functions", description=__doc__)
    parser.add_argument("--python", help="the CPython 3.13 that compiles (default: one found)")
    options = parser.parse_args(arguments)
    try:
        python = find_python(options.python or None)
        functions = build_functions(ROOT / "build", python)
    except BuildError as error:
        sys.stderr.write(f"build-functions: {error}\n")
        return 1
    for function in functions:
        size = size_of(function.folder) / 1e6
        sys.stdout.write(f"{function.folder.relative_to(ROOT)}  {size:.1f} MB\n")
    if python is None:
        sys.stdout.write(
            "No CPython 3.13 here: the artifacts are not compiled, and start slower.\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
