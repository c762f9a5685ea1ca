"""ingest and fanout as processes: what they say when they can't start, and how they stop."""

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from infra.local.ports import free_ports
from tests.support.eventually import WAIT_SECONDS


def start(module: str, **settings: str) -> "subprocess.Popen[str]":
    outside = {name: value for name, value in os.environ.items() if not name.startswith("OUTCRY_")}
    return subprocess.Popen(
        [sys.executable, "-m", module],
        env={**outside, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )


def nowhere() -> dict[str, str]:
    """Settings whose servers are all away."""
    away = f"127.0.0.1:{free_ports(1)[0]}"
    return {
        "OUTCRY_POSTGRES_URLS": f"postgresql://edge:x@{away}/ledger",
        "OUTCRY_VALKEY_URL": f"redis://{away}",
        "OUTCRY_HEALTH": f"127.0.0.1:{free_ports(1)[0]}",
        "OUTCRY_LISTEN": f"127.0.0.1:{free_ports(1)[0]}",
        "OUTCRY_VENUE_FEED": away,
        "OUTCRY_SECRETS_URL": "file:///nonexistent",
        "OUTCRY_STREAMS_URL": f"redis://{away}",
    }


@pytest.mark.parametrize("module", ["edge.ingest.main", "edge.fanout.main", "edge.triggers.main"])
def test_a_missing_setting_is_named_and_ends_the_process(module: str) -> None:
    process = start(module)
    _, told = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, "OUTCRY_" in told) == (2, True)


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("edge.ingest.main", {}),
        ("edge.fanout.main", {}),
        ("edge.fanout.main", {"OUTCRY_FANOUT_WORKERS": "2"}),
        ("edge.triggers.main", {}),
    ],
)
def test_a_process_whose_stores_are_away_says_starting_and_stops_when_told(
    module: str, own: dict[str, str]
) -> None:
    settings = nowhere() | own
    process = start(module, **settings)
    try:
        answer = _health(settings["OUTCRY_HEALTH"])
        assert (answer.status_code, answer.json()["state"]) == (503, "starting")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
    finally:
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def _health(address: str) -> httpx.Response:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return httpx.get(f"http://{address}/health", trust_env=False, verify=False)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
