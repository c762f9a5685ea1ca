"""Restrictions of an account in a stock, worked out again from its events.

Invariant: an event sets one or ends it; which one is said by the alert's number in it.
"""

from collections.abc import Mapping

import msgspec

from infra.command.replayed_dues import ReplayFault

_SETS, _ENDS = "SYMBOL_RESTRICTED", "SYMBOL_RESTRICTION_ENDED"


class RestrictionFacts(msgspec.Struct):
    """As an event tells of it; `ends_at` in microseconds since 1970."""

    alert_id: int
    symbol: str
    ends_at: int


class ReplayedRestrictions:
    """Fed one account's events."""

    def __init__(self) -> None:
        self._rows: dict[tuple[object, ...], dict[str, object]] = {}

    def take(self, kind: str, seq: int, facts: RestrictionFacts) -> None:
        """Raises ReplayFault for an event that can't be."""
        key = (facts.alert_id,)
        if kind == _SETS and key not in self._rows:
            self._rows[key] = {
                "symbol": facts.symbol, "ends_at": facts.ends_at, "seq": seq, "ended_seq": None,
            }  # fmt: skip
        elif kind == _ENDS and self._rows.get(key, {}).get("ended_seq", 0) is None:
            self._rows[key]["ended_seq"] = seq
        else:
            raise ReplayFault(f"{kind} of alert {facts.alert_id}, which is not so")

    def rows(self) -> Mapping[tuple[object, ...], dict[str, object]]:
        """The table's rows behind the user."""
        return self._rows
