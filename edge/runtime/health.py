"""`GET /health` and `GET /metrics` of a long-lived process, answered by a thread of their own.

Invariant: `ready` is said only by the process's own judgement of whether it can do its work now;
answering HTTP is no proof of that. Requests have no body, and a slow reader is cut.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from functions.shared.settings import split_address

State = Callable[[], tuple[bool, str]]

_REQUEST_TIMEOUT_SECONDS = 5


class HealthServer(ThreadingHTTPServer):
    """The listening server; `address` is the HOST:PORT it got (port 0 asks for any free one)."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], part: str, state: State, registry: CollectorRegistry
    ) -> None:
        super().__init__(address, _Handler)
        self.part = part
        self.registry = registry
        self._state = state
        self._was_ready = False
        self._thread = threading.Thread(target=self.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{self.server_address[0]!s}:{self.server_address[1]}"

    def health(self) -> tuple[int, dict[str, str]]:
        """The status and body of /health. Before the first `ready` a process is starting."""
        ready, detail = self._state()
        if ready:
            self._was_ready = True
            return 200, {"part": self.part, "state": "ready"}
        state = "failing" if self._was_ready else "starting"
        return 503, {"part": self.part, "state": state, "detail": detail}

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_SECONDS
    server: HealthServer

    def do_GET(self) -> None:
        if self.path == "/health":
            status, body = self.server.health()
            self._answer(status, "application/json", json.dumps(body).encode())
        elif self.path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.server.registry))
        else:
            self._answer(404, "text/plain", b"/health and /metrics are here\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Silent: the supervisor asks every second."""


def serve_health(
    address: str, part: str, state: State, registry: CollectorRegistry = REGISTRY
) -> HealthServer:
    """Serves until `.close()`. `state` gives (ready, detail); it is called on another thread.

    Raises OSError when the address can't be had, SettingsError when it is not HOST:PORT.
    """
    return HealthServer(split_address(address), part, state, registry)
