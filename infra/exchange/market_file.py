"""Reads a market file: what happens at the venue, and when. Its format is market_file.md.

Invariant: a file is taken as a whole or refused as a whole, with the number of the line that is
wrong; its events are in the order in which they happen, those of one instant as they are written.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.exchange.actions import Action, ActionError, parse_span, read_action

MAX_BYTES = 16 * 1024 * 1024


class MarketFileError(Exception):
    """The file can't be read, or a line of it is wrong."""


@dataclass(frozen=True, slots=True)
class Event:
    """An action at an instant, or so long after the venue first saw the file."""

    line: int
    at: datetime | None
    after: timedelta
    action: Action

    def instant(self, start: datetime) -> datetime:
        """When it happens, given when the file was first seen."""
        return self.at or start + self.after


@dataclass(frozen=True, slots=True)
class MarketFile:
    """`fingerprint` tells this file from another one under the same name."""

    fingerprint: str
    events: tuple[Event, ...]


def read_market_file(path: Path) -> MarketFile:
    """Read and check a market file; MarketFileError names the line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MarketFileError(f"{path}: larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MarketFileError(f"{path}: {error}") from error
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            events.append(_event(number, json.loads(line, object_pairs_hook=_once)))
        except ValueError as error:
            raise MarketFileError(f"{path}, line {number}: {error}") from error
    return MarketFile(hashlib.sha256(data).hexdigest()[:16], tuple(events))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ActionError("a field is given twice")
    return fields


def _event(line: int, raw: object) -> Event:
    if not isinstance(raw, dict):
        raise ActionError("a line is a JSON object")
    text = raw.pop("at", None)
    if not isinstance(text, str):
        raise ActionError("'at' is missing: an instant, or a span such as +90s")
    action = read_action(raw)
    if text.startswith("+"):
        return Event(line, None, timedelta(seconds=parse_span(text[1:])), action)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ActionError(f"'at': {text[:40]!r} is neither an instant nor a span") from None
    if at.tzinfo is None:
        raise ActionError("'at' needs a UTC offset, such as 2026-11-23T10:00:00+05:30")
    return Event(line, at, timedelta(0), action)
