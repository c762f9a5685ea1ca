"""The libraries of the artifacts: installed once for Lambda's platform, then picked per function.

Invariant: every file comes from the hashed lock (infra/requirements/functions.txt), installed as
wheels for CPython 3.13 on x86_64 whatever this machine is; a function gets the distributions it
reaches and what these require, nothing else.
"""

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from infra.aws.imports import BuildError
from infra.aws.template import ROOT

LOCK = ROOT / "infra/requirements/functions.txt"
PLATFORM = "x86_64-manylinux_2_28"
PYTHON = "3.13"
_TARGET = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "extra": "",
}
#: What a module looks for at run time without its library requiring it.
_COMPANIONS = {
    "redis": "hiredis",
    "zoneinfo": "tzdata",
    "aws_lambda_powertools.event_handler": "pydantic",
}


def find_python(named: str | None = None) -> Path | None:
    """A CPython 3.13 of this machine: the one named, ours, on PATH, or pyenv's. None without."""
    candidates = (
        named,
        sys.executable,
        shutil.which(f"python{PYTHON}"),
        *sorted(map(str, Path.home().glob(f".pyenv/versions/{PYTHON}*/bin/python"))),
    )
    for candidate in candidates:
        if candidate and _version_of(candidate) == PYTHON:
            return Path(candidate)
    if named:
        raise BuildError(f"{named} is not a CPython {PYTHON}")
    return None


def install_libraries(build: Path, python: Path | None) -> Path:
    """The folder with every library of the lock, compiled when there is a Python to do it.

    Installed anew when the lock or the compiler changed. Raises BuildError with uv's own words.
    """
    stamp = hashlib.sha256(LOCK.read_bytes() + str(python is not None).encode()).hexdigest()[:16]
    site = build / f".libraries-{stamp}"
    if site.is_dir():
        return site
    for old in build.glob(".libraries-*"):
        shutil.rmtree(old)
    unfinished = build / ".libraries-unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    wheels = ["--only-binary", ":all:", "--python-platform", PLATFORM, "--python-version", PYTHON]
    where = ["--link-mode", "copy", "--target", str(unfinished)]
    strict = ["--quiet", "--no-deps", "--require-hashes"]
    _run([_uv(), "pip", "install", *strict, *wheels, *where, "-r", str(LOCK)])
    compile_folder(unfinished, python)
    unfinished.rename(site)
    return site


def compile_folder(folder: Path, python: Path | None) -> None:
    """Compiles the folder's modules, never checked against the source again: an artifact's
    files don't change, and a zip doesn't keep their times. Tracebacks name Lambda's folder."""
    if python is not None:
        command = [str(python), "-m", "compileall", "-q", "-j", "0", "-s", str(folder)]
        command += ["-p", "/var/task", "--invalidation-mode", "unchecked-hash"]
        _run([*command, str(folder)])


def compiled_of(path: Path) -> Path:
    """Where the bytecode of that module lies."""
    return path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc"


class _Installed(NamedTuple):
    """What lies in a folder of libraries, by distribution, and who owns a top-level name."""

    files: dict[NormalizedName, tuple[Path, ...]]
    requires: dict[NormalizedName, tuple[NormalizedName, ...]]
    owners: dict[str, NormalizedName]


@functools.lru_cache(maxsize=1)
def _installed_in(site: Path) -> _Installed:
    """Read once for all functions: the folder is named by its lock and stays as it is."""
    files, requires, owners = {}, {}, {}
    for dist in distributions(path=[str(site)]):
        name = canonicalize_name(dist.metadata["Name"])
        files[name] = tuple(_files_of(dist, site))
        requires[name] = tuple(_required_by(dist))
        owners.update(dict.fromkeys(_tops_of(files[name]), name))
    return _Installed(files, requires, owners)


def files_for(imported: Iterable[str], services: Iterable[str], site: Path) -> Iterator[Path]:
    """The files, relative to `site`, of the libraries whose modules a function imports.

    Of botocore's models (90 % of an artifact) only those of the services it calls.
    """
    installed = _installed_in(site)
    chosen: set[NormalizedName] = set()
    modules = set(imported)
    names = {module.partition(".")[0] for module in modules}
    names |= {other for one, other in _COMPANIONS.items() if _is_or_is_in(modules, one)}
    waiting = [installed.owners[name] for name in names if name in installed.owners]
    unknown = names - installed.owners.keys() - sys.stdlib_module_names
    if unknown:
        raise BuildError(f"not among the locked libraries of the functions: {sorted(unknown)}")
    while waiting:
        name = waiting.pop()
        if name in chosen:
            continue
        chosen.add(name)
        waiting.extend(installed.requires[name])
    called = frozenset(services)
    for name in sorted(chosen):
        yield from (path for path in installed.files[name] if not _other_service(path, called))


def _is_or_is_in(modules: set[str], package: str) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for module in modules)


def _required_by(dist: Distribution) -> Iterator[NormalizedName]:
    for text in dist.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(_TARGET):
            yield canonicalize_name(requirement.name)


def _tops_of(files: Iterable[Path]) -> set[str]:
    """Names the distribution of these files can be imported by."""
    tops = set()
    for file in files:
        first = file.parts[0]
        if first.endswith((".py", ".so")) or (len(file.parts) > 1 and "." not in first):
            tops.add(first.split(".")[0])
    return tops


def _files_of(dist: Distribution, site: Path) -> Iterator[Path]:
    for file in dist.files or ():
        path = Path(file)
        if path.parts[0] in {"..", "bin"} or "__pycache__" in path.parts:
            continue  # console scripts; and what was compiled is found beside its source
        yield path
        if path.suffix == ".py" and (site / compiled_of(path)).is_file():
            yield compiled_of(path)


def _other_service(path: Path, services: frozenset[str]) -> bool:
    parts = path.parts
    if parts[:2] == ("boto3", "data"):
        return len(parts) > 3
    return parts[:2] == ("botocore", "data") and len(parts) > 3 and parts[2] not in services


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise BuildError("uv is not installed; run `make setup`")
    return found


def _version_of(python: str) -> str | None:
    try:
        answer = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")
