"""The jobs of the day's end, by the clock: square-off, delivery, short delivery, interest."""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest

from functions.ledger import settle
from functions.orders import square_off
from functions.shared.bookkeeping import exits
from functions.shared.bookkeeping.applying import apply_execution
from functions.shared.clock import micros
from functions.shared.domain.calendar import INDIA, settlement_date
from functions.shared.domain.sessions import Announcement, Phase
from functions.shared.stores.day_prices import DayPrices
from functions.shared.wire.announcements import announcement_key, encode_announcement
from functions.shared.wire.executions import ExecutionReport
from tests.integration.order_path.conftest import Client, OrderStores, opened_stores
from tests.support.bank import BankProcess
from tests.support.ledger import NOON
from tests.support.postgres import PostgresUnderTest

TODAY = NOON.date()
"""A Friday; what is traded settles on Monday."""
MONDAY = date(2026, 7, 13)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases of this module's own: the jobs work every account there is."""
    with opened_stores(postgres, bank) as made:
        yield made


class Context:
    """Lambda's, with time left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def at(stores: OrderStores, moment: str, day: date = TODAY) -> None:
    stores.clock.at = datetime.combine(day, time.fromisoformat(moment), INDIA).astimezone(UTC)


def run_settle() -> None:
    settle.lambda_handler({}, Context())


def run_square_off() -> None:
    square_off.lambda_handler({}, Context())


def intraday(client: Client, side: str, quantity: int, **changes: object) -> int:
    answer = client.order(
        f"k{next(_numbers)}", side=side, quantity=quantity, product="MIS", **changes
    )
    assert answer.status == 202, answer.body
    return int(answer.body["order_id"])


def told(
    stores: OrderStores, client: Client, order_id: int, exec_type: str,
    quantity: int = 0, rupees: float = 1500, traded: date = TODAY,
) -> None:  # fmt: skip
    """What the venue says of an order."""
    number = next(_numbers)
    report = ExecutionReport(
        session="OUTCRY-O1", position=10_000 + number, user_id=client.user_id, order_id=order_id,
        request=0, exec_id=f"X{number}", exec_type=exec_type, ord_status="0",
        venue_order_id=f"V{order_id}", symbol="RELIANCE", side=None, last_quantity=quantity,
        last_price=round(rupees * 10_000), cumulative_quantity=0, leaves_quantity=0,
        order_quantity=0, price=None, trade_date=traded.isoformat(),
        transacted_at=micros(stores.clock.now()),
    )  # fmt: skip
    settles_on = settlement_date(traded, "nse")
    today = stores.clock.now().astimezone(INDIA).date()
    applied = apply_execution(stores.shards, report, settles_on, today, stores.clock.now())
    assert applied.outcome == "APPLIED", applied


def orders(client: Client) -> list[dict[str, Any]]:
    """Every order of the client, newest first."""
    items: list[dict[str, Any]] = client.ask("GET", "/v1/orders").body["items"]
    return items


def filled(stores: OrderStores, client: Client, side: str, quantity: int) -> None:
    told(stores, client, intraday(client, side, quantity), "F", quantity)


# Exits that rest


def test_an_exit_is_told_of_when_its_share_has_traded_for_a_while_and_not_in_an_auction(
    stores: OrderStores, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(stores, client, int(client.order("b", quantity=2).body["order_id"]), "F", 2)
    order = int(
        client.order("s", side="SELL", type="MARKET", price=..., quantity=2).body["order_id"]
    )
    told(stores, client, order, "0")
    found = partial(exits.resting_exits, patience=timedelta())  # by the wall clock
    monkeypatch.setattr(exits, "resting_exits", found)

    def alerted() -> bool:
        history = client.ask("GET", f"/v1/orders/{order}").body["history"]
        return "EXIT_UNFILLED" in {row["kind"] for row in history}

    for moment in ("09:02", "09:10", "09:15:29"):
        at(stores, moment, MONDAY)
        run_square_off()
        assert not alerted(), moment
    at(stores, "09:20", MONDAY)  # a halt of this share alone is lifted
    told_of = Announcement(Phase.OPEN, NOON, lifted_at=stores.clock.at)
    stores.valkey.set(announcement_key("RELIANCE"), encode_announcement("RELIANCE", told_of))
    at(stores, "09:20:29", MONDAY)
    run_square_off()
    assert not alerted()
    at(stores, "09:20:30", MONDAY)
    run_square_off()
    stores.valkey.delete(announcement_key("RELIANCE"))
    assert alerted()


# Square-off


def test_before_the_cut_off_nothing_is_squared_off(stores: OrderStores, client: Client) -> None:
    filled(stores, client, "BUY", 2)
    at(stores, "15:09:59")
    run_square_off()
    assert len(orders(client)) == 1


@pytest.mark.parametrize(("side", "opposite"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_an_open_position_gets_the_opposite_market_order_once(
    stores: OrderStores, client: Client, side: str, opposite: str
) -> None:
    filled(stores, client, side, 3)
    at(stores, "15:10:00")
    run_square_off()
    run_square_off()
    newest, *older = orders(client)
    assert (newest["side"], newest["type"], newest["quantity"]) == (opposite, "MARKET", 3)
    assert (newest["product"], newest["validity"]) == ("MIS", "IOC")
    assert newest["client_order_id"].startswith("SQ-20260710-")
    assert newest["client_order_id"].endswith("-1")
    assert len(older) == 1


def test_working_intraday_orders_are_cancelled_before_anything_is_placed(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "BUY", 2)
    resting = intraday(client, "SELL", 1, price="1600.00")
    delivery = client.order("delivery").body["order_id"]
    at(stores, "15:10:00")
    run_square_off()
    run_square_off()  # the cancel is on its way
    by_id = {order["order_id"]: order for order in orders(client)}
    assert by_id[str(resting)]["pending_change"] == "CANCEL"
    assert by_id[delivery]["pending_change"] is None
    assert len(by_id) == 3
    told(stores, client, resting, "4")
    assert client.ask("GET", f"/v1/orders/{resting}").body["reason"] == {
        "code": "SQUARED_OFF", "message": "cancelled by the end-of-day square-off",
    }  # fmt: skip
    mine = {"request_id": "mine"}
    assert client.ask("DELETE", f"/v1/orders/{delivery}", {"request_id": "SQ-1"}).status == 400
    assert client.ask("DELETE", f"/v1/orders/{delivery}", mine).status == 202
    told(stores, client, int(delivery), "4")
    assert client.ask("GET", f"/v1/orders/{delivery}").body["reason"] is None
    run_square_off()
    newest = orders(client)[0]
    assert (newest["side"], newest["quantity"]) == ("SELL", 2)


def test_an_intraday_stop_that_waits_is_ended_by_the_cut_off(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "BUY", 2)
    intraday(client, "SELL", 2, type="STOP", price=..., trigger_price="1490.00")
    at(stores, "15:10:30")
    run_square_off()
    run_square_off()
    closing, stop, _ = orders(client)
    assert (stop["type"], stop["status"], stop["venue_order_id"]) == ("STOP", "CANCELLED", None)
    assert (closing["side"], closing["quantity"], closing["status"]) == ("SELL", 2, "PENDING")


def test_what_an_attempt_left_is_tried_again_and_each_that_traded_is_charged_once(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "BUY", 5)
    at(stores, "15:10:00")
    run_square_off()
    first = int(orders(client)[0]["order_id"])
    told(stores, client, first, "F", 3)
    told(stores, client, first, "4")
    at(stores, "15:11:00")
    before = cash(client)
    run_square_off()
    assert cash(client) == before - 59_00
    second = orders(client)[0]
    assert (second["quantity"], second["client_order_id"][-2:]) == (2, "-2")
    told(stores, client, int(second["order_id"]), "4")  # none of it traded
    at(stores, "15:12:00")
    run_square_off()
    assert cash(client) == before - 59_00
    told(stores, client, int(orders(client)[0]["order_id"]), "F", 2)
    before = cash(client)
    at(stores, "15:40:00")  # the market is closed; what traded is charged all the same
    run_square_off()
    assert cash(client) == before - 59_00
    assert len(orders(client)) == 4
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"


def test_without_a_price_a_position_waits(stores: OrderStores, client: Client) -> None:
    filled(stores, client, "BUY", 1)
    stores.valkey.flushall()
    at(stores, "15:10:00")
    run_square_off()
    assert len(orders(client)) == 1
    stores.quote("RELIANCE", 1500)
    run_square_off()
    assert len(orders(client)) == 2


def test_after_the_cut_off_no_intraday_order_is_taken(stores: OrderStores, client: Client) -> None:
    at(stores, "15:10:00")
    late = client.order("late", product="MIS")
    assert late.status == 422
    assert [rule["code"] for rule in late.body["rules"]] == ["MIS_CUT_OFF"]
    assert client.order("delivery").status == 202


def test_a_client_cannot_use_the_names_of_square_off_orders(client: Client) -> None:
    answer = client.order("SQ-20260710-1-1")
    assert (answer.status, answer.body["code"]) == (400, "RESERVED_ID")


# The day's end


def test_a_long_position_is_delivered_after_the_close(stores: OrderStores, client: Client) -> None:
    filled(stores, client, "BUY", 10)
    at(stores, "15:29:59")
    run_settle()
    assert holdings(client) == []
    at(stores, "16:00:00")
    run_settle()
    (holding,) = holdings(client)
    assert (holding["quantity"], holding["bought_today"], holding["settled"]) == (10, 10, 0)
    at(stores, "09:00:00", MONDAY)
    (holding,) = holdings(client)
    assert (holding["settled"], holding["t1"]) == (10, 0)


def test_a_short_position_is_valued_on_pay_in_day_and_closed_out_after_the_auction(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "SELL", 10)
    start = cash(client)
    at(stores, "16:00:00")
    run_settle()
    assert cash(client) == start
    at(stores, "09:20:00", MONDAY)
    stores.quote("RELIANCE", 1400)
    run_settle()
    assert cash(client) == start - 15_000_00  # the close of Friday
    at(stores, "16:00:00", MONDAY)
    run_settle()
    # 20 % above Monday's 1,400 is 1,680, more than Friday's high: 180 a share lost, and 0.05 %.
    assert cash(client) == start - 1_800_00 - 8_40 - 1_51
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"
    run_settle()
    assert cash(client) == start - 1_800_00 - 8_40 - 1_51


def test_a_sale_told_after_its_shares_were_delivered_takes_them_from_the_holding(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "BUY", 10)
    late = intraday(client, "SELL", 10)
    told(stores, client, late, "4")
    at(stores, "16:00:00")
    run_settle()
    at(stores, "09:20:00", MONDAY)
    before = cash(client)
    told(stores, client, late, "F", 10)
    run_settle()
    assert holdings(client) == []
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"
    assert 14_980_00 < cash(client) - before < 15_000_00  # what they brought, less charges


def test_shares_sold_twice_are_closed_out_and_nobody_has_to_look(
    stores: OrderStores, client: Client
) -> None:
    delivery = [("buy", "BUY"), ("late", "SELL"), ("again", "SELL")]
    ids = {}
    for key, side in delivery:
        ids[key] = int(client.order(key, side=side, quantity=10).body["order_id"])
        told(stores, client, ids[key], "4" if key == "late" else "F", 10)
    told(stores, client, ids["late"], "F", 10)
    at(stores, "16:00:00")
    run_settle()
    start = cash(client)
    at(stores, "09:20:00", MONDAY)
    stores.quote("RELIANCE", 1400)
    run_settle()
    at(stores, "16:00:00", MONDAY)
    run_settle()
    assert cash(client) == start - 1_800_00 - 8_40 - 1_51  # sold at 1,500, bought in at 1,680
    assert client.ask("GET", "/v1/funds").body["held"] == "0.00"


def test_a_short_delivery_waits_for_a_price(stores: OrderStores, client: Client) -> None:
    answer = client.order("short", symbol="INFY", side="SELL", price="1500.00", product="MIS")
    told(stores, client, int(answer.body["order_id"]), "F", 1, 1500)
    start = cash(client)
    stores.valkey.flushall()
    at(stores, "09:20:00", MONDAY)
    run_settle()
    assert cash(client) == start
    stores.quote("INFY", 1600)
    run_settle()
    assert cash(client) == start  # Monday's price is not that of the day before pay-in
    DayPrices(stores.shards.control).record(TODAY, stores.quotes.get(["INFY"]).values())
    run_settle()
    assert cash(client) == start - 1_600_00


def test_proceeds_of_an_account_nobody_touched_settle(stores: OrderStores, client: Client) -> None:
    filled(stores, client, "BUY", 1)
    at(stores, "16:00:00")
    run_settle()
    at(stores, "10:00:00", MONDAY)
    sold = client.order("sell", side="SELL")
    told(stores, client, int(sold.body["order_id"]), "F", 1, traded=MONDAY)
    assert client.ask("GET", "/v1/funds").body["blocked"] != "0.00"
    at(stores, "00:00:01", MONDAY + timedelta(days=1))
    run_settle()
    kinds = [event["kind"] for event in client.ask("GET", "/v1/ledger?limit=500").body["items"]]
    assert "SETTLED" in kinds
    assert client.ask("GET", "/v1/funds").body["unsettled"] == "0.00"


def test_a_loan_bears_interest_over_the_weekend(stores: OrderStores, client: Client) -> None:
    filled(stores, client, "BUY", 200)  # three lakh of shares on one lakh
    at(stores, "16:00:00")
    run_settle()
    loan = amount(client, "borrowed")
    assert loan > 2_00_000_00
    at(stores, "09:00:00", MONDAY)
    run_settle()
    a_day = (loan * 1200 * 2 + 3_650_000) // 7_300_000
    assert amount(client, "borrowed") == loan + 3 * a_day
    run_settle()
    assert amount(client, "borrowed") == loan + 3 * a_day


def test_a_run_without_time_does_nothing_and_the_next_does_it(
    stores: OrderStores, client: Client
) -> None:
    filled(stores, client, "BUY", 1)
    at(stores, "16:00:00")

    class Late:
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 100

    settle.lambda_handler({}, Late())
    assert holdings(client) == []
    run_settle()
    assert len(holdings(client)) == 1


def cash(client: Client) -> int:
    return amount(client, "cash")


def amount(client: Client, field: str) -> int:
    """In paise."""
    text: str = client.ask("GET", "/v1/funds").body[field]
    return int(text.replace(".", ""))


def holdings(client: Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.ask("GET", "/v1/holdings").body["items"]
    return items
