"""A user's events as the edge's role reads them from the ledger."""

from datetime import UTC, datetime

from functions.shared.bookkeeping.accounts import deposit, open_account
from functions.shared.stores.postgres import Shards
from functions.shared.stores.user_events import UserEvents
from functions.shared.wire.events import render_event

NOW = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)


def test_events_come_back_in_order_from_the_users_own_shard(
    shards: Shards, edge_shards: Shards
) -> None:
    events = UserEvents(edge_shards)
    for user_id in (7, 60):
        assert events.latest(user_id) == 0
        open_account(shards, user_id, NOW)
        opened = events.latest(user_id)
        last = [deposit(shards, user_id, f"d{n}", 100, NOW.date(), NOW).seq for n in range(4)]
        assert events.latest(user_id) == last[-1]
        read = events.after(user_id, opened, 3)
        assert [event.user_seq for event in read] == last[:3]
        assert {event.user_id for event in read} == {user_id}
        assert [render_event(event)[0]["type"] for event in read] == ["funds"] * 3
        assert events.after(user_id, last[-1], 3) == []
