"""What the terminal meant to send, on disk before it is sent.

Invariant: an order leaves this machine only after its client_order_id is in the journal, so that
a crash or a lost answer never leaves an order that nobody can name.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

LINES_MAX = 1_000
"""Past this many lines the journal is rewritten with the open intents alone."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: an order or a plan about to be sent, by the client's own id for it, or (with
    `outcome`) what became of it."""

    client_order_id: str
    at: datetime
    body: dict[str, Any] = {}
    outcome: str = ""


class Journal:
    """An append-only file of intents, one JSON object a line, mode 0600."""

    def __init__(self, home: Path) -> None:
        self._path = home / "orders.jsonl"

    def intend(self, client_order_id: str, body: Mapping[str, object], at: datetime) -> None:
        """Record an order before it is sent."""
        self._append(Intent(client_order_id=client_order_id, at=at, body=dict(body)))

    def settle(self, client_order_id: str, outcome: str, at: datetime) -> None:
        """Record what became of an order: its order_id, or the code of its refusal."""
        self._append(Intent(client_order_id=client_order_id, at=at, outcome=outcome))

    def unsettled(self) -> list[Intent]:
        """Orders whose answer never came. A torn last line was never sent and is left out."""
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        open_intents: dict[str, Intent] = {}
        for number, line in enumerate(lines, start=1):
            try:
                intent = msgspec.json.decode(line, type=Intent)
            except msgspec.MsgspecError:
                if number == len(lines):
                    break
                raise
            if intent.outcome:
                open_intents.pop(intent.client_order_id, None)
            else:
                open_intents[intent.client_order_id] = intent
        if len(lines) > LINES_MAX:
            self._rewrite(list(open_intents.values()))
        return list(open_intents.values())

    def _append(self, intent: Intent) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path, flags, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(msgspec.json.encode(intent) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, intents: list[Intent]) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(msgspec.json.encode(intent) + b"\n" for intent in intents)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
