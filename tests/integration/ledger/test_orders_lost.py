"""`outcry orders lost` names what is wrong, and what to do about each."""

from functions.shared.stores.postgres import Shards
from functions.shared.stores.streams import Record, ValkeyStreams
from functions.shared.wire.executions import decode_execution, executions_stream
from infra.command import parked, put_aside
from infra.command.orders_app import read_lost
from infra.local.postgres import APPLICATION, OWNER
from tests.support.ledger import LAKH, NOON, Trader, price
from tests.support.postgres import ShardsUnderTest
from tests.support.valkey import valkey_server
from tests.unit.edge.gateway.test_translate import REPORT


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


def test_a_report_that_was_put_aside_is_handed_on_or_settled_and_then_stands_no_more(
    databases: ShardsUnderTest,
) -> None:
    owner = databases.urls(OWNER)[0]
    with valkey_server(durable=True) as server:
        streams = ValkeyStreams(server.url)
        told = [
            REPORT,
            REPORT | {11: "desk-1"},
            REPORT | {11: "desk-1"},
            REPORT | {34: "9", 60: "?"},
        ]
        raw = ["".join(f"{tag}={value}\x01" for tag, value in fields.items()) for fields in told]
        streams.append(put_aside.STREAM, [Record("OUTCRY-O1", raw[0].encode())])
        streams.append(put_aside.STREAM, [Record("OUTCRY-O2", text.encode()) for text in raw[1:]])

        def standing() -> list[put_aside.PutAside]:
            return put_aside.read_put_aside(server.url, put_aside.read_settled(owner))

        readable, foreign, malformed = standing()
        assert len(foreign.entries) == 2  # told twice, after a reconnect
        assert put_aside.unread_because(malformed) is not None
        put_aside.hand_on(owner, server.url, [readable], 4)
        ((_, (handed_on,)),) = streams.read([executions_stream(2)], "ledger", "me", 10, 50)
        assert decode_execution(handed_on.data).exec_id == REPORT[17]
        assert [item.name for item in standing()] == [foreign.name, malformed.name]
        put_aside.settle(owner, foreign, "the dealer's own; taken over by them")
        assert [item.name for item in standing()] == [malformed.name]
        assert put_aside.read_settled(owner).fills == {("20260710", REPORT[17])}
        streams.append(put_aside.STREAM, [Record("OUTCRY-O2", raw[1].encode())])  # and once more
        assert [item.name for item in standing()] == [malformed.name]
        streams.close()


def test_a_parked_report_is_judged_anew_or_settled_and_its_account_goes_on(
    databases: ShardsUnderTest,
) -> None:
    owners = databases.urls(OWNER)
    shards = Shards(databases.urls(APPLICATION), "test")
    trader, stranger = Trader(shards, 3, LAKH), Trader(shards, 60, LAKH)
    order = trader.buy(2)
    wrong = trader.report(order, "Z")
    right = trader.report(order, "F", last_quantity=2, last_price=1_000_000, leaves_quantity=0)
    assert [trader.apply(report).outcome for report in (wrong, right)] == ["PARKED", "PARKED"]
    alien = 7 << 22 | 60 << 16
    stranger.told(alien, "F", last_quantity=1, last_price=1_000_000)
    stranger.told(alien, "F", last_quantity=1, last_price=1_000_000, user_id=124)
    names = {item.name: item for item in parked.read_parked(owners)}
    assert {item.why.partition(" ")[0] for item in names.values()} == {
        "UNKNOWN_EXEC_TYPE", "BEHIND_A_PARKED_REPORT", "UNKNOWN_ORDER",
        "UNKNOWN_ACCOUNT",
    }  # fmt: skip
    first = names[f"{wrong.session}/{wrong.position}"]
    parked.settle(owners[0], first, "there is no such type; nothing traded")
    other = next(item for item in names.values() if item.why == "UNKNOWN_ORDER")
    parked.settle(owners[0], other, "another broker's")
    assert other.told is not None
    assert ("20260710", other.told.exec_id) in put_aside.read_settled(owners[0]).fills
    told = parked.judge_again(parked.read_parked(owners), "nse", NOON)
    assert [item.name for item in told] == [f"{right.session}/{right.position}"]
    (nobodys,) = parked.read_parked(owners)
    assert nobodys.why == "UNKNOWN_ACCOUNT"
    assert trader.apply(right).outcome == "DUPLICATE"
    assert trader.order(order).filled_quantity == 2
    shards.close()


def test_what_still_cannot_be_booked_keeps_its_place_before_what_is_behind_it(
    databases: ShardsUnderTest,
) -> None:
    """Judged again, parked reports are booked before whatever came since."""
    owners = databases.urls(OWNER)
    shards = Shards(databases.urls(APPLICATION), "test")
    trader = Trader(shards, 5, LAKH)
    order = trader.buy(10)
    trader.told(order, "0")
    wrong = trader.report(order, "Z")
    fill = trader.report(order, "F", last_quantity=10, last_price=price(100))
    bust = trader.report(order, "H", exec_ref=fill.exec_id, ord_status="4")
    for report in (wrong, fill, bust):
        assert trader.apply(report).outcome == "PARKED"

    def standing() -> list[parked.Parked]:
        return [item for item in parked.read_parked(owners) if item.user_id == trader.user_id]

    before = standing()
    assert parked.judge_again(before, "nse", NOON) == []
    assert parked.judge_again(before[1:], "nse", NOON) == []
    assert standing() == before
    parked.settle(owners[0], before[0], "there is no such type; nothing traded")
    assert parked.judge_again(standing(), "nse", NOON) == before[1:]
    assert standing() == []
    assert trader.kinds()[-2:] == ["FILL", "FILL_BUSTED"]
    assert (trader.order(order).status, trader.funds().held) == ("CANCELLED", 0)
    shards.close()
