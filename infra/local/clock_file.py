"""The business clock of the stack: the file that every process reads, and who may move it.

Invariant: the clock of a home never runs backwards, because its ledger doesn't; it is replaced
whole, so that a reader sees the old one or the new one.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from functions.shared.clock import ClockFile, wall_now
from infra.local.home import Home
from infra.local.refusals import StartRefused

_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?")
_SPEED_MOST = 100_000.0
#: A reader's clock is never older than 200 ms, however busy its process is: it looks at the file
#: before it answers. So no call that begins that long after the file was replaced reads the one
#: before; a call that began earlier keeps the time it took then.
SEEN_SECONDS = 0.25


class ClockRefused(StartRefused):
    """The setting is malformed, or would turn the clock back."""


def set_clock(home: Home, choice: str | None) -> ClockFile:
    """Writes the clock that `choice` asks for: real, always-open, speed=N or a file's path.

    None keeps the home's clock, or starts it always open. Raises ClockRefused.
    """
    known = read_clock(home)
    if choice is None and known is not None:
        return known
    wall = wall_now()
    business = max(wall, known.at(wall)) if known else wall
    if choice in (None, "always-open"):
        clock = ClockFile(hours="always-open", wall=wall, business=business)
    elif choice == "real":
        if business > wall:
            raise ClockRefused(
                f"this home's clock stands at {business.isoformat(timespec='minutes')}, ahead of "
                "the real one, and a ledger can't go back; `outcry reset` starts anew"
            )
        clock = ClockFile(hours="nse", wall=wall, business=wall)
    elif choice.startswith("speed="):
        clock = ClockFile(wall=wall, business=business, speed=_speed(choice))
    else:
        clock = _from_file(Path(choice))
        if known is not None and clock.at(wall) < known.at(wall):
            raise ClockRefused(f"{choice} would turn this home's clock back")
    _write(home, clock)
    return clock


def advance_clock(home: Home, span: timedelta) -> datetime:
    """Moves the clock forward; gives the new business time. Raises ClockRefused without a clock."""
    known = read_clock(home)
    if known is None:
        raise ClockRefused("this home has no clock yet; `outcry up` makes one")
    wall = wall_now()
    moved = ClockFile(
        hours=known.hours, wall=wall, business=known.at(wall) + span, speed=known.speed
    )
    _write(home, moved)
    return moved.business


def parse_span(text: str) -> timedelta:
    """`1d`, `2h`, `30m` or `1d12h`. Raises ClockRefused for anything else."""
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        raise ClockRefused(f"{text!r} is not a span such as 1d, 2h or 1d12h30m")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def read_clock(home: Home) -> ClockFile | None:
    """The home's clock, or None before its first start."""
    return _from_file(home.clock) if home.clock.exists() else None


def _from_file(path: Path) -> ClockFile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClockFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise ClockRefused(
            f"{path} is neither real, always-open, speed=N nor a clock file: {error}"
        ) from error


def _speed(choice: str) -> float:
    try:
        speed = float(choice.removeprefix("speed="))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= _SPEED_MOST:
        raise ClockRefused(f"{choice!r}: the speed is a number above 0, at most {_SPEED_MOST:.0f}")
    return speed


def _write(home: Home, clock: ClockFile) -> None:
    home.write(home.clock, msgspec.json.encode(clock))
