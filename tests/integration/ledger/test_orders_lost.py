"""`outcry orders lost` names what is wrong, and what to do about each."""

from functions.shared.stores.postgres import Shards
from infra.command.orders_app import read_lost
from infra.local.postgres import APPLICATION, OWNER
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest


def test_each_thing_that_is_lost_is_named_with_what_to_do(databases: ShardsUnderTest) -> None:
    shards = Shards(databases.urls(APPLICATION), "test")
    quiet, parked, sold = (Trader(shards, user, LAKH) for user in (1, 2, 40))
    owners = databases.urls(OWNER)
    quiet.told(quiet.buy(1), "0")
    forgotten, changed = quiet.buy(2), quiet.buy(3)
    quiet.told(changed, "0")
    quiet.cancel(changed)
    order = parked.buy(4)
    parked.told(order, "Z")
    parked.fill(order, 4)
    bought = sold.buy(5)
    sold.fill(bought, 5, exec_id="LOST-1")
    sold.fill(sold.sell(1), 1)
    sold.told(bought, "H", exec_ref="LOST-1", ord_status="4")
    shards.close()
    assert [line for line in read_lost(owners) if line.what.startswith("unanswered")] == []
    for shard in range(len(owners)):
        admin = databases.superuser(shard)
        admin.run("UPDATE ledger.orders SET touched_at = touched_at - interval '2 minutes'")
        if shard == 0:
            admin.run(
                "INSERT INTO venue.difference VALUES ('OUTCRY-O1', 'UNKNOWN_ORDER', 'X-9', '',"
                " 'open', now(), now(), NULL)"
            )
        admin.close()
    lines = {line.what.split(",")[0]: line for line in read_lost(owners)}
    assert f"unanswered  order {forgotten} of user 1" in lines
    assert "the cancel since" in lines[f"unanswered  order {changed} of user 1"].what
    told = [line.text() for line in lines.values()]
    for words in (
        "UNKNOWN_EXEC_TYPE Z", "BEHIND_A_PARKED_REPORT", "BUSTED_SHARES_SOLD",
        "shares that were sold on", "unknown_order  X-9 on OUTCRY-O1: the ledger says nothing",
        "have it cancelled",
    ):  # fmt: skip
        assert any(words in line for line in told), words
    assert f"unanswered  order {order} of user 2" in lines  # its answers are parked
    assert len(lines) == 7
