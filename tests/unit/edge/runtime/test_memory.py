"""The limit of memory, from control groups of either version."""

from pathlib import Path

import pytest

from edge.runtime.memory import memory_limit, resident_bytes

V2 = "0::/pod/worker\n"
V1 = "5:cpu,cpuacct:/a\n4:memory:/pod/worker\n0::/\n"


def host(root: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        (V2, {}, None),
        (V2, {"sys/fs/cgroup/pod/worker/memory.max": "max\n"}, None),
        (V2, {"sys/fs/cgroup/pod/worker/memory.max": "4096\n"}, 4096),
        (V2, {"sys/fs/cgroup/pod/worker/memory.max": "8192\n",
              "sys/fs/cgroup/pod/memory.max": "4096\n"}, 4096),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "4096\n"}, 4096),
        (V1, {"sys/fs/cgroup/memory/pod/worker/memory.limit_in_bytes": "4096\n"}, 4096),
        (V1, {"sys/fs/cgroup/memory/pod/worker/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, None),
    ],
)  # fmt: skip
def test_the_smallest_limit_on_the_way_up_is_found(
    tmp_path: Path, groups: str, files: dict[str, str], limit: int | None
) -> None:
    assert memory_limit(host(tmp_path, groups, files)) == limit


def test_a_process_has_some_memory() -> None:
    assert 2**20 < resident_bytes() < 2**34
