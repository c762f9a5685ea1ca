"""One question about many users as the edge asks it, wherever they are at home and not."""

from datetime import UTC, date, datetime

import pytest

from functions.shared.bookkeeping.accounts import deposit, open_account
from functions.shared.stores import postgres as stores
from functions.shared.stores.postgres import Shards, SlotAway
from functions.shared.stores.user_events import UserEvents
from functions.shared.stores.user_portfolio import UserPortfolio
from functions.shared.wire.portfolio import PortfolioFacts
from infra.local.postgres import connect

NOW = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
DAY = date(2026, 11, 23)
#: On shard 0, on shard 1, without an account, and of a slot that is on its way.
HERE, THERE, NOBODY, MOVING = 7, 60, 71, 9


def test_each_of_many_users_has_an_answer_of_their_own(
    owner_urls: list[str], shards: Shards, edge_shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MOVE_PATIENCE_SECONDS", 0.0)
    for number, user_id in enumerate((HERE, THERE, MOVING)):
        open_account(shards, user_id, NOW)
        deposit(shards, user_id, "d", 100 + number, DAY, NOW)
    events, books = UserEvents(edge_shards), UserPortfolio(edge_shards)
    asked = [THERE, NOBODY, MOVING, HERE, THERE]
    every = [books.read(user_id, DAY) for user_id in asked]
    assert [None if each is None else each.cash for each in every] == [101, None, 102, 100, 101]
    assert books.read_all(asked, DAY) == every
    numbers = [events.latest(user_id) for user_id in asked]
    assert events.latest_all(asked) == numbers
    assert numbers[1] == 0 < min(numbers[:1] + numbers[2:])

    owner = connect(owner_urls[shards.number_of_user(MOVING)])
    try:
        owner.run("UPDATE ledger.slot SET state = 'LEAVING' WHERE slot = :slot", slot=MOVING)
        away = books.read_all(asked, DAY)
        assert isinstance(away[2], SlotAway)
        assert [*away[:2], *away[3:]] == [*every[:2], *every[3:]]
        assert [isinstance(each, SlotAway) for each in events.latest_all(asked)] == [
            user_id == MOVING for user_id in asked
        ]
        with pytest.raises(SlotAway):
            books.read(MOVING, DAY)
    finally:
        owner.run("UPDATE ledger.slot SET state = 'HERE' WHERE slot = :slot", slot=MOVING)
        owner.close()
    found = books.read_all([MOVING], DAY)[0]
    assert isinstance(found, PortfolioFacts)
    assert found.cash == 102
