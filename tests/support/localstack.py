"""A real LocalStack of a test's own, started by the script that LOCALSTACK_HOST_UP names."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from infra.local.ports import free_ports
from tests.support.gone import wait_gone

ROOT = Path(__file__).resolve().parents[2]
REGION = "ap-south-1"
START_SECONDS = 400.0  # the first start installs it
DEPLOY_SECONDS = 900.0  # eighteen functions, while the rest of the suite runs beside them
ROOM_BYTES = 6 * 1024**3  # twice what it fills


class LocalStack:
    """One running LocalStack."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        session = boto3.Session("local", "local", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)

    def deploy(self, home: Path) -> str:
        """What `make deploy-local` runs, beside the stack of that OUTCRY_HOME. Returns its last
        line: the API's address."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.aws.deploy_local", self.endpoint],
            cwd=ROOT,
            env={**_foreign(os.environ), "OUTCRY_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=DEPLOY_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]


@contextlib.contextmanager
def own_localstack(folder: Path) -> Iterator[LocalStack]:
    """Skips the test where no LocalStack can be started."""
    script = os.environ.get("LOCALSTACK_HOST_UP")
    if not script:
        pytest.skip("LOCALSTACK_HOST_UP names no script that starts LocalStack")
    port = free_ports(1)[0]
    # Gone with the server, which leaves two gigabytes of artifacts behind otherwise.
    unpacked = tempfile.mkdtemp(prefix="outcry-localstack-", dir=_room(folder))
    own = {"PORT": str(port), "LOG": str(folder / "localstack.log"), "TMPDIR": unpacked}
    with (folder / "up.out").open("w+") as said:
        # Into a file: the server keeps the pipe's end for as long as it lives.
        subprocess.run(
            ["bash", script],
            env={**_foreign(os.environ), **own},
            stdout=said,
            timeout=START_SECONDS,
            check=True,
        )
        said.seek(0)
        process = psutil.Process(int(said.read().split()[-1]))
    try:
        yield LocalStack(f"http://127.0.0.1:{port}")
    finally:
        # At once: it keeps nothing, and would not stop all of its functions itself.
        family = [process, *process.children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        wait_gone(family, 120)
        shutil.rmtree(unpacked)


def _room(folder: Path) -> Path:
    """Where it unpacks fifty thousand files: in memory where there is room, which spares a disk
    several minutes; else in the folder."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    return memory if roomy else folder


def _foreign(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if not k.startswith("OUTCRY_")}
