"""A halt of the whole market as the terminal tells it: what stands, since when, and how long still.

Invariant: the broker's status is the truth, and the stream's `market` message brings a change of it
at once; the countdown runs on the market's own clock between them, and ends at nought, for only the
broker says that a part is over.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from tui.client.market_status import MarketHalt, MarketStatus
from tui.state import formats
from tui.state.market import MarketClock

_WHY: Final = {"VENUE": "by the exchange", "OPERATOR": "by the broker"}
_OPENS: Final = {"VENUE": "until the exchange opens it", "OPERATOR": "until the broker opens it"}
_PHASE: Final = re.compile(r"[A-Z_]{1,30}")


@dataclass(frozen=True, slots=True)
class HaltBanner:
    """One line. `is_stopped`: no orders are taken; else they are collected for the auction."""

    head: str
    detail: str
    is_stopped: bool


def heard(status: MarketStatus, news: Mapping[str, Any]) -> MarketStatus:
    """The status with a `market` message in it; of one symbol or class it changes nothing here, nor
    does one that can't be read."""
    phase = news.get("phase")
    if news.get("symbol") is not None or news.get("security_class") is not None:
        return status
    if not isinstance(phase, str) or not _PHASE.fullmatch(phase):
        return status
    told = news.get("halt")
    if told is None:
        return msgspec.structs.replace(status, phase=phase, halt=None)
    fields = {**told, "phase": phase, "text": str(news.get("reason") or "")}
    try:
        halt = msgspec.convert(fields, MarketHalt)
    except msgspec.ValidationError:
        return status
    return msgspec.structs.replace(status, phase=phase, halt=halt)


def halt_banner(market: MarketClock | None, now: datetime) -> HaltBanner | None:
    """What to show when the terminal's own clock shows `now`; None while nothing is halted."""
    halt = None if market is None else market.status.halt
    if market is None or halt is None:
        return None
    why = f"breaker {halt.level} %" if halt.level else _WHY.get(halt.source, "")
    is_stopped = halt.phase == "HALTED"
    ends = halt.resumes_at if is_stopped else halt.opens_at
    at = market.at(now)
    what = "call auction" if is_stopped else "trading"
    if ends is None:
        by_level = halt.level and halt.source != "OPERATOR"
        left = "for the rest of the day" if by_level else _OPENS.get(halt.source, "")
    elif at >= ends:
        left = f"{what} when the exchange says so"
    else:
        left = f"{what} in {countdown(ends, at)} ({formats.clock(ends)[:5]} IST)"
    taken = "cancels pass" if is_stopped else "limit and market orders"
    head = "MARKET HALTED" if is_stopped else "CALL AUCTION"
    return HaltBanner(head, f"{why} · {left} · {taken}", is_stopped)


def countdown(ends: datetime, at: datetime) -> str:
    """Whole seconds that are left, the one that runs counted: 44:59, or 1:44:59."""
    seconds = max(0, -int((at - ends).total_seconds() // 1))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
