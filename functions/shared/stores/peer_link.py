"""A question over HTTP to somebody outside, the bank or the provider of identities: one PUT.

Invariant: each question has a connection of its own, so a second answer on a connection reaches
nobody's question, and each wait for a peer ends. Nothing that was sent or answered is in an error:
it may identify a person.
"""

import http.client
import time
from typing import Final
from urllib.parse import urlsplit

from functions.shared.domain.errors import Retryable
from functions.shared.settings import SettingsError

_ANSWER_MOST: Final = 4_096


class PeerLink:
    """The way to one peer; every request carries the bearer token. `who` names it in errors."""

    def __init__(self, setting: str, who: str, url: str, token: str, answer_seconds: float) -> None:
        """Raises SettingsError, naming the `setting`, when `url` is no address."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError(f"{setting}: not http://HOST:PORT or https://HOST")
        secure = parts.scheme == "https"
        self._kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        self._who, self._answer_seconds = who, answer_seconds

    def put(self, path: str, body: str) -> tuple[int, bytes]:
        """Status and body of the answer to this JSON. Raises Retryable when there is none in time,
        or it is the peer's own fault (5xx)."""
        deadline = time.monotonic() + self._answer_seconds
        connection = self._kind(self._host, self._port, timeout=self._answer_seconds)
        try:
            connection.connect()
            connection.sock.settimeout(_left(deadline))
            connection.request("PUT", self._path + path, body, self._headers)
            connection.sock.settimeout(_left(deadline))
            answer = connection.getresponse()
            data = answer.read(_ANSWER_MOST)
        except (OSError, http.client.HTTPException) as error:
            raise Retryable(f"{self._who} did not answer: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            raise Retryable(f"{self._who} answered {answer.status}")
        return answer.status, data


def _left(deadline: float) -> float:
    """Seconds until then; never 0, which would mean not to wait for a socket at all."""
    return max(0.001, deadline - time.monotonic())
