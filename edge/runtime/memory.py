"""How much memory a process has and may have (cgroups(7), proc(5)).

Invariant: a limit that can't be found is None, never a guess.
"""

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: What version 1 of cgroups shows where there is no limit, or any machine's more than it has.
_NO_LIMIT = 1 << 60


def resident_bytes() -> int:
    """The memory of this process that is in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def memory_limit(root: Path = Path("/")) -> int | None:
    """The smallest limit of this process's control group and those above it, in bytes."""
    limits: list[int | None] = []
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = top / path.lstrip("/")
        folders = [each for each in (group, *group.parents) if each.is_relative_to(top)]
        limits += [_read(folder / name) for folder in folders]
    return min((each for each in limits if each is not None), default=None)


def _read(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:  # this group has no such file, or isn't seen from within a container
        return None
    return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None
