"""Curves of volume on a shard, beside the plans that go by them.

Invariant: of a symbol and a day there is one curve, written once; a day is done when it is said to
be, so what a cut-short run left is done by the next.
"""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from functions.shared.domain.calendar import Hours
from functions.shared.stores.postgres import Database

_DRAWN = (
    "SELECT EXISTS (SELECT FROM ledger.volume_curve_draw"
    " WHERE hours = :hours AND valid_from = :day)"
)
_KEEP = "SELECT ledger.keep_volume_curves(:hours, :day, :curves)"
_END = "SELECT ledger.end_volume_curve_draw(:hours, :day, :curves, :now)"


class DrawnCurve(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's own curve. `begins` in India's time, HH:MM:SS; `volumes` in shares, by buckets of
    that many `minutes`; the average of so many `days`."""

    symbol: str
    begins: str
    minutes: int
    volumes: Sequence[int]
    source: str
    days: int


def are_drawn(database: Database, hours: Hours, day: date) -> bool:
    """Whether the shard has all curves of a day."""
    return bool(database.run(_DRAWN, hours=hours, day=day)[0][0])


def keep_curves(database: Database, hours: Hours, day: date, curves: Sequence[DrawnCurve]) -> None:
    """Writes those that the shard doesn't have."""
    database.run(_KEEP, hours=hours, day=day, curves=msgspec.json.encode(curves).decode())


def end_draw(database: Database, hours: Hours, day: date, curves: int, now: datetime) -> None:
    """Says that the day is done, with so many curves."""
    database.run(_END, hours=hours, day=day, curves=curves, now=now)
