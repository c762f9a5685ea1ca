"""An operator's word on a halt of the whole market, and which words are still to be carried out.

Invariant: the word and its audit entry are one transaction on shard 0; what opens the market needs
two (access.requests); a word is carried out once, within a quarter of an hour or not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from functions.shared.access.roles import Officer, require
from functions.shared.domain.market_halts import HaltOrder
from functions.shared.domain.sessions import Phase
from functions.shared.stores.postgres import Shards

_SET: Final = (
    "SELECT outcome, audit_id FROM identity.set_breaker(:order::jsonb, :actor::bigint, :why::text,"
    " :network::text, :now::timestamptz)"
)
_OPEN: Final = (
    "SELECT audit_id, phase, stop_minutes, auction_minutes FROM identity.breaker_order"
    " WHERE done_at IS NULL AND ordered_at > clock_timestamp() - interval '15 minutes'"
    " ORDER BY audit_id LIMIT 100"
)
_FINISH: Final = "SELECT identity.finish_breaker(:audit_id::bigint)"


@dataclass(frozen=True, slots=True)
class BreakerWord:
    """What an operator said, under the entry's number."""

    audit_id: int
    order: HaltOrder


def order_breaker(
    shards: Shards, order: HaltOrder, by: Officer, why: str, now: datetime
) -> int | None:
    """Says it. Returns the entry's number, None for what needs two. Raises Refused 403, Conflict
    NOTHING_TO_DO, Retryable."""
    [[outcome, audit_id]] = shards.control.run(
        _SET, order=msgspec.json.encode(order_detail(order)).decode(), actor=by.user_id, why=why,
        network=by.network, now=now,
    )  # fmt: skip
    if outcome == "NEEDS_TWO":
        return None
    require(outcome, by.role)
    return int(audit_id)


def order_detail(order: HaltOrder) -> dict[str, object]:
    """As the audit trail, and a request for a second officer, has it."""
    minute = timedelta(minutes=1)
    return {
        "phase": order.phase.value,
        "stop_minutes": None if order.stop is None else order.stop // minute,
        "auction_minutes": order.auction // minute,
    }


def open_words(shards: Shards) -> list[BreakerWord]:
    """Those that are still to be carried out, the oldest first. Raises Retryable."""
    return [
        BreakerWord(
            int(audit_id),
            HaltOrder(
                Phase(phase),
                None if stop is None else timedelta(minutes=stop),
                timedelta(minutes=auction),
            ),
        )
        for audit_id, phase, stop, auction in shards.control.run(_OPEN)
    ]


def finish(shards: Shards, word: BreakerWord) -> None:
    """Marks it carried out. Raises Retryable."""
    shards.control.run(_FINISH, audit_id=word.audit_id)
