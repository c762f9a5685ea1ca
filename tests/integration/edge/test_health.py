"""/health says what the process judges of itself; /metrics speaks Prometheus' text format."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from edge.runtime.health import HealthServer, serve_health
from functions.shared.settings import split_address
from tests.support.eventually import WAIT_SECONDS


class Judgement:
    def __init__(self) -> None:
        self.value = (False, "not logged on")

    def __call__(self) -> tuple[bool, str]:
        return self.value


@pytest.fixture
def judgement() -> Judgement:
    return Judgement()


@pytest.fixture
def server(judgement: Judgement) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("orders", "sent", registry=registry).inc(3)
    running = serve_health("127.0.0.1:0", "gateway", judgement, registry)
    yield running
    running.close()


def ask(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_starts_then_is_ready_then_fails(
    server: HealthServer, judgement: Judgement
) -> None:
    status, body = ask(server, "/health")
    assert (status, json.loads(body)) == (
        503,
        {"part": "gateway", "state": "starting", "detail": "not logged on"},
    )
    judgement.value = (True, "")
    status, body = ask(server, "/health")
    assert (status, json.loads(body)) == (200, {"part": "gateway", "state": "ready"})
    judgement.value = (False, "logged out")
    status, body = ask(server, "/health")
    assert (status, json.loads(body)["state"]) == (503, "failing")


def test_metrics_are_served_as_text(server: HealthServer) -> None:
    status, body = ask(server, "/metrics")
    assert status == 200
    assert "orders_total 3.0" in body


def test_another_path_is_not_found(server: HealthServer) -> None:
    assert ask(server, "/")[0] == 404


_ONE_READY = """
import signal
from edge.runtime.health import serve_health
print(serve_health("127.0.0.1:0", "fanout", lambda: (True, "")).address, flush=True)
signal.pause()
"""


def test_a_process_that_is_stopped_is_still_connected_to_and_answers_no_check() -> None:
    """Its kernel takes connections on, so a check that only connects would never miss."""

    def told(address: str, seconds: float) -> bytes:
        with socket.create_connection(split_address(address), timeout=WAIT_SECONDS) as link:
            link.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            link.settimeout(seconds)
            return link.recv(12)

    words = [sys.executable, "-c", _ONE_READY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert told(address, WAIT_SECONDS).endswith(b"200")
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                told(address, 0.3)
            process.send_signal(signal.SIGCONT)
            assert told(address, WAIT_SECONDS).endswith(b"200")
        finally:
            process.kill()
