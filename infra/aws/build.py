"""Builds each function's artifact: `make build-functions`, or `python -m infra.aws.build`.

template.yaml -> what each handler reaches -> build/NAME with these modules, their libraries for
Lambda's platform, and the bytecode of both. Invariant: an artifact holds what its handler imports
and nothing else, needs nothing but a bare Python 3.13, and is complete or not there.
"""

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.aws.imports import BuildError, reach_of
from infra.aws.libraries import compile_folder, files_for, find_python, install_libraries
from infra.aws.template import ROOT, Function, functions_of, load_template

# AWS: "The unzipped size of the function and its layers: 250 MB".
LARGEST_ARTIFACT_BYTES = 250 * 1024 * 1024


def build_functions(build: Path, python: Path | None, root: Path = ROOT) -> tuple[Function, ...]:
    """Builds every function of the template into a folder of `build`. Raises BuildError."""
    build.mkdir(parents=True, exist_ok=True)
    functions = tuple(
        function._replace(folder=build / function.folder.name)
        for function in functions_of(load_template(root / "template.yaml"), root)
    )
    with (build / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time in one folder
        site = install_libraries(build, python)
        for function in functions:
            _build(function, site, build, python, root)
    return functions


def _build(
    function: Function, site: Path, build: Path, python: Path | None, root: Path = ROOT
) -> None:
    reach = reach_of(function.module, root)
    unfinished = build / f".{function.folder.name}-unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    for path in sorted(reach.files | _data_beside(reach.files)):
        target = unfinished / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    compile_folder(unfinished, python)
    for relative in files_for(reach.libraries, reach.services, site):
        target = unfinished / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(site / relative, target)
    size = size_of(unfinished)
    if size > LARGEST_ARTIFACT_BYTES:
        raise BuildError(f"{function.folder.name} is {size} bytes, more than Lambda takes")
    shutil.rmtree(function.folder, ignore_errors=True)
    unfinished.rename(function.folder)


def _data_beside(files: set[Path]) -> set[Path]:
    """Files a module reads rather than imports; they lie in its folder."""
    return {
        path
        for folder in {file.parent for file in files}
        for path in folder.iterdir()
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }


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
