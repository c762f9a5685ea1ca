"""Who asks: what a verified token says, and nothing a client said by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Mode = Literal["PAPER", "LIVE"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The user behind a request or a connection, until `expires_at` (wall clock, UTC)."""

    user_id: int
    session_id: str
    roles: tuple[str, ...]
    mode: Mode
    region: str
    expires_at: datetime
