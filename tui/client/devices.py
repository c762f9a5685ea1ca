"""The tokens by which this device is known to accounts that logged in on it, kept as a file.

Invariant: only the user may read the file (0600). A file that can't be read costs nothing but what
it was for: the device is a new one again, and the next login writes it afresh.
"""

import os
from pathlib import Path

import msgspec

ACCOUNTS_MAX = 20
"""Accounts of all brokers; the one that logged in longest ago is forgotten."""


class DeviceTokens:
    """One token for each account at one broker."""

    def __init__(self, home: Path, api_url: str) -> None:
        self._path = home / "device.json"
        self._api_url = api_url.rstrip("/")

    def of(self, username: str) -> str | None:
        """The token that the broker gave at the last login, if this device ever logged in."""
        return self._read().get(self._account(username))

    def keep(self, username: str, token: str) -> None:
        """Replace the account's token. Raises OSError when the file can't be written."""
        tokens = self._read()
        tokens.pop(self._account(username), None)
        tokens[self._account(username)] = token
        kept = dict(list(tokens.items())[-ACCOUNTS_MAX:])
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
        fresh.replace(self._path)

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _account(self, username: str) -> str:
        return f"{username.strip().lower()} {self._api_url}"
