"""How the user likes the terminal, kept as a file beside the journal.

Invariant: a file that can't be read is told and left as it is; the terminal starts all the same.
"""

from pathlib import Path

import msgspec


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept between runs; a theme that doesn't exist is as none."""

    theme: str = ""


class PreferencesFile:
    def __init__(self, home: Path) -> None:
        self.path = home / "preferences.json"

    def read_or_default(self) -> tuple[Preferences, str]:
        """What was kept, and what is wrong with a file that can't be read."""
        if not self.path.exists():
            return Preferences(), ""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Preferences), ""
        except (OSError, msgspec.MsgspecError) as error:
            return Preferences(), f"{self.path}: {error}"

    def write(self, preferences: Preferences) -> str:
        """Replaces the file at once; what is wrong when it can't be."""
        fresh = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_bytes(msgspec.json.encode(preferences))
            fresh.replace(self.path)
        except OSError as error:
            return f"{self.path}: {error}"
        return ""
