"""Reads the splits and bonuses of shares, on shard 0.

Invariant: only what has happened by a day is given: an announced one changes no chart before.
"""

from collections.abc import Sequence
from datetime import date

from functions.shared.domain.corporate_actions import ActionKind, CorporateAction
from functions.shared.stores.postgres import Database

_SELECT = (
    "SELECT token, ex_date, kind, given, held FROM market.corporate_action"
    " WHERE token = ANY(:tokens) AND ex_date <= :until AND kind <> 'DIVIDEND' ORDER BY ex_date"
)


def splits_and_bonuses(
    control: Database, tokens: Sequence[int], until: date
) -> dict[int, list[CorporateAction]]:
    """By token, oldest first; a share without any is not there. Raises Retryable."""
    found: dict[int, list[CorporateAction]] = {}
    for token, ex_date, kind, given, held in control.run(_SELECT, tokens=list(tokens), until=until):
        action = CorporateAction(ex_date, ActionKind(kind), given, held)
        found.setdefault(token, []).append(action)
    return found
