"""A user's ledger events as the stream needs them: the latest number, and those after a number.

Invariant: events come back in `seq` order without a gap up to the limit asked for; the edge's role
only reads here.
"""

from collections.abc import Sequence

from functions.shared.clock import micros
from functions.shared.domain.errors import Retryable
from functions.shared.stores.many_users import ask_of_users
from functions.shared.stores.postgres import Shards
from functions.shared.wire.events import UserEvent, decode_body

_LATEST = """
SELECT u.id, coalesce((SELECT max(e.seq) FROM ledger.ledger_event e WHERE e.user_id = u.id), 0)
  FROM unnest(:users::bigint[]) AS u (id)
  JOIN ledger.slot s ON s.slot = (u.id & 63) AND s.state = 'HERE'
"""
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
        number = self.latest_all([user_id])[0]
        if isinstance(number, Retryable):
            raise number
        return number

    def latest_all(self, user_ids: Sequence[int]) -> list[int | Retryable]:
        """As `latest`, of each of these users in turn."""
        rows = ask_of_users(self._shards, _LATEST, user_ids)
        numbers = {
            user_id: int(row[1]) if isinstance(row, list) else row or 0
            for user_id, row in rows.items()
        }
        return [numbers[user_id] for user_id in user_ids]

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
