"""A user's ledger events as the stream needs them: the latest number, and those after a number.

Invariant: events come back in `seq` order without a gap up to the limit asked for; the edge's role
only reads here.
"""

from functions.shared.clock import micros
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import UserEvent, decode_body

_LATEST = "SELECT coalesce(max(seq), 0) FROM ledger.ledger_event WHERE user_id = :user_id"
_AFTER = """
SELECT seq, at, kind, body FROM ledger.ledger_event
 WHERE user_id = :user_id AND seq > :seq ORDER BY seq LIMIT :count
"""


class UserEvents:
    """Reads by user. Not for use by two threads at once, as `Shards` is not."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def latest(self, user_id: int) -> int:
        """The number of the user's last event, 0 when there is none. Raises Retryable."""
        rows = self._shards.of_user(user_id).run(_LATEST, user_id=user_id)
        return int(rows[0][0])

    def after(self, user_id: int, seq: int, count: int) -> list[UserEvent]:
        """The first `count` events after `seq`, in order. Raises Retryable."""
        rows = self._shards.of_user(user_id).run(_AFTER, user_id=user_id, seq=seq, count=count)
        return [
            UserEvent(
                user_id=user_id, user_seq=seq_, kind=kind, at=micros(at), body=decode_body(body)
            )
            for seq_, at, kind, body in rows
        ]

    def close(self) -> None:
        """Closes the connections."""
        self._shards.close()
