"""`outcry clock`: the business clock of the stack beside the wall clock, and how it is moved.

Trade dates, sessions and settlement follow the business clock; tokens and one-time codes the wall
clock. Both are shown in India's time to a person, in UTC to a program.
"""

import time
from datetime import datetime
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from functions.shared.clock import INDIA, wall_now
from functions.shared.domain.calendar import Hours, market_status
from infra.command.exits import DONE, REFUSED, Failure
from infra.command.place import home
from infra.local.clock_file import SEEN_SECONDS, advance_clock, parse_span, read_clock
from infra.local.home import Home
from infra.local.refusals import StartRefused

clock_app = cyclopts.App(name="clock", help="The business clock of the stack.")


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """Both clocks at one moment. `speed`: business seconds that pass in a second of the wall's."""

    business_time: datetime
    wall_time: datetime
    hours: Hours
    speed: float
    trade_date: str
    phase: str

    def text(self) -> str:
        """In one line, for a person."""
        business, wall = in_india(self.business_time), in_india(self.wall_time)
        pace = "" if self.speed == 1 else f", {self.speed:g} times as fast"
        return f"business {business}  wall {wall}  {self.hours} {self.phase}{pace}"


def in_india(moment: datetime) -> str:
    """To the second, with the offset: the one form of a time that a person is shown."""
    return moment.astimezone(INDIA).isoformat(" ", "seconds")


def read_clocks(place: Home) -> Clocks:
    """What the home's clocks say now. Raises Failure for a home that has none yet."""
    clock = read_clock(place)
    if clock is None:
        raise Failure(f"{place.path} has no clock yet; `outcry up` makes one", REFUSED)
    wall = wall_now()
    business = clock.at(wall)
    status = market_status(business, clock.hours)
    return Clocks(
        business_time=business, wall_time=wall, hours=clock.hours, speed=clock.speed,
        trade_date=status.trade_date.isoformat(), phase=status.phase.value,
    )  # fmt: skip


@clock_app.default
def show(*, json_: Annotated[bool, Parameter(name="--json")] = False) -> int:
    """Show the business time beside the wall time.

    Args:
        json_: as JSON
    """
    clocks = read_clocks(home())
    print(msgspec.json.encode(clocks).decode() if json_ else clocks.text())
    return DONE


@clock_app.command
def advance(span: str) -> int:
    """Move the business clock forward. Jobs of the time between run once, at the new time.

    It returns when no call that begins then reads the time before; one under way keeps the time
    it began with.

    Args:
        span: how far, as 1d, 2h or 1d12h30m
    """
    try:
        moved = advance_clock(home(), parse_span(span))
    except StartRefused as error:
        raise Failure(str(error), REFUSED) from error
    time.sleep(SEEN_SECONDS)
    print(in_india(moved))
    return DONE
