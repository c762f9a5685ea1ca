"""What a terminal is told at start. Nothing here is read from the environment."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_WATCHLIST = (
    "NIFTY 50",
    "RELIANCE",
    "HDFCBANK",
    "TCS",
    "INFY",
    "ICICIBANK",
    "SBIN",
    "ITC",
    "LT",
    "BHARTIARTL",
    "AXISBANK",
    "M&M",
)
"""The first watchlist of a new user; the user's own is kept in `home` from then on."""


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """One terminal's settings, fixed for its life."""

    api_url: str
    """The broker's base URL, without the version."""
    home: Path
    """The folder for what the terminal itself remembers: its journal, a copy of its
    watchlist, and how the user likes it."""
    stream_url: str | None = None
    """The stream's URL; asked of the broker when absent."""
    username: str | None = None
    password: str | None = None
    totp_secret: str | None = None
    """With all three of these the terminal signs itself in."""
    mode: str = "PAPER"
    """What the frame says before sign-in; afterwards the broker's own word counts."""

    @property
    def signs_itself_in(self) -> bool:
        """Whether every credential was given."""
        return None not in (self.username, self.password, self.totp_secret)
