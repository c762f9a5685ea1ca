"""Pledging: settled shares that stand as collateral and can't be sold meanwhile.

Invariant: what is pledged is settled, held, and in no open sell; asked twice, it is set once.
"""

from datetime import date, datetime

from functions.shared.domain.errors import Refused
from functions.shared.stores.postgres import Shards

_PLEDGE = (
    "SELECT outcome, largest FROM ledger.set_pledge(:user_id, :symbol, :pledged, :today, :now)"
)


def set_pledge(
    shards: Shards, user_id: int, symbol: str, pledged: int, today: date, now: datetime
) -> None:
    """Sets how many shares of a holding are pledged, 0 to free them all. Raises Refused 422
    NOT_FREE with the most that could be, NotFound when there is no account."""
    outcome, largest = shards.of_user(user_id).run(
        _PLEDGE, user_id=user_id, symbol=symbol, pledged=pledged, today=today, now=now
    )[0]
    if outcome == "NOT_FREE":
        raise Refused(
            422, "NOT_FREE", f"{pledged} of {symbol} can't be pledged", largest_quantity=largest
        )
