"""The account at an instant, and its statement over a time, by API events on a real ledger."""

import csv
import io
import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.domain.orders import Side
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.ledger import NOON, Trader

MINUTE = timedelta(minutes=1)


def at(moment: datetime) -> str:
    return quote(moment.isoformat())


@pytest.fixture
def saver(client: Client, stores: OrderStores) -> Client:
    """The one lakh of the start at noon, then a deposit of 1.00, 2.00, ... a minute apart, and an
    order, which moves no cash, half a minute after each; ten minutes have passed."""
    for minute in range(1, 10):
        stores.clock.at = NOON + minute * MINUTE
        body = {"client_id": f"d{minute}", "amount": f"{minute}.00"}
        assert client.ask("POST", "/v1/funds/deposits", body).status == 202
        stores.clock.at += MINUTE / 2
        assert client.order(f"o{minute}").status == 202
    stores.clock.at = NOON + 10 * MINUTE
    return client


def test_the_account_at_an_instant_is_as_its_last_event_left_it(saver: Client) -> None:
    rows = saver.ask("GET", "/v1/ledger?limit=500").body["items"]
    last_of_instants = {row["time"]: row for row in rows}
    for time, row in last_of_instants.items():
        moment = datetime.fromisoformat(time)
        found = saver.ask("GET", f"/v1/ledger/at?time={at(moment)}").body
        assert {name: found[name] for name in row} == row
        assert found["as_of"] == time
    later = saver.ask("GET", f"/v1/ledger/at?time={at(NOON + 5.7 * MINUTE)}").body
    assert (later["cash"], later["kind"]) == ("100015.00", "ORDER_PLACED")


def test_before_the_account_there_is_nothing_and_the_future_is_not_told(saver: Client) -> None:
    before = saver.ask("GET", f"/v1/ledger/at?time={at(NOON - MINUTE / 1000)}")
    assert (before.status, before.body["code"]) == (404, "NOT_FOUND")
    assert saver.ask("GET", f"/v1/ledger/at?time={at(NOON + 10 * MINUTE)}").status == 200
    ahead = saver.ask("GET", f"/v1/ledger/at?time={at(NOON + 11 * MINUTE)}")
    assert (ahead.status, ahead.body["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("time", ["", "2026-07-10", "2026-07-10T06:30:00", "noon", "1783665000"])
def test_an_instant_without_a_zone_is_refused(client: Client, time: str) -> None:
    assert client.ask("GET", f"/v1/ledger/at?time={time}").status == 400


def test_a_stranger_has_no_past(stores: OrderStores) -> None:
    nobody = Client(1_000_003, "user-1000003")
    assert nobody.ask("GET", f"/v1/ledger/at?time={at(NOON)}").status == 404
    assert nobody.ask("GET", "/v1/statements").status == 404


def pages(client: Client, query: str, limit: int) -> list[dict[str, Any]]:
    """Every page of a statement."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = client.ask("GET", f"/v1/statements?limit={limit}{query}{cursor}")
        assert answer.status == 200, answer.body
        found.append(answer.body)
        if answer.body["next"] is None:
            return found
        cursor = f"&cursor={answer.body['next']}"


def moved(page: dict[str, Any]) -> Decimal:
    return sum(
        (Decimal(e["credit"] or 0) - Decimal(e["debit"] or 0) for e in page["entries"]), Decimal(0)
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bounds=st.lists(st.integers(-1, 21), min_size=2, max_size=2).map(sorted),
    limit=st.integers(1, 12),
)
def test_pages_join_and_opening_with_the_entries_makes_closing(
    saver: Client, bounds: list[int], limit: int
) -> None:
    start, until = (NOON + half * MINUTE / 2 for half in bounds)
    found = pages(saver, f"&from={at(start)}&to={at(until)}", limit)
    for page in found:
        assert Decimal(page["opening"]) + moved(page) == Decimal(page["closing"])
        assert len(page["entries"]) <= limit
    for page, following in itertools.pairwise(found):
        assert following["opening"] == page["closing"]
    expected = [minute for minute in range(1, 10) if start <= NOON + minute * MINUTE < until]
    received = [Decimal(e["credit"]) for page in found for e in page["entries"]]
    assert [c for c in received if c < 10] == expected
    seqs = [e["seq"] for page in found for e in page["entries"]]
    assert seqs == sorted(set(seqs))


def test_the_table_and_the_json_agree_and_each_page_names_the_next(saver: Client) -> None:
    first = saver.ask("GET", "/v1/statements?format=csv&limit=3&from=2026-07-10&to=2026-07-10")
    assert first.headers["content-type"].startswith("text/csv")
    told = saver.ask("GET", "/v1/statements?limit=3&from=2026-07-10&to=2026-07-10").body
    opening, *entries, closing = csv.DictReader(io.StringIO(first.body))
    assert (opening["balance"], closing["balance"]) == (told["opening"], told["closing"])
    assert [e["balance"] for e in entries] == [e["balance"] for e in told["entries"]]
    target, _, rel = first.headers["link"].partition(";")
    assert rel.strip() == 'rel="next"'
    second = saver.ask("GET", target.strip("<>"))
    assert next(csv.DictReader(io.StringIO(second.body)))["balance"] == told["closing"]


def test_a_day_counts_whole_in_india(saver: Client) -> None:
    whole = saver.ask("GET", "/v1/statements?from=2026-07-10&to=2026-07-10").body
    assert (whole["from"], whole["to"]) == (
        "2026-07-09T18:30:00.000000Z",
        "2026-07-10T18:30:00.000000Z",
    )
    assert (whole["opening"], whole["closing"]) == ("0.00", "100045.00")
    after = saver.ask("GET", "/v1/statements?from=2026-07-11").body
    assert after["code"] == "INVALID_REQUEST"  # it is still the tenth, and `to` is now
    nothing = saver.ask("GET", "/v1/statements?from=2026-07-11&to=2026-07-11").body
    assert (nothing["opening"], nothing["entries"], nothing["closing"]) == (
        "100045.00",
        [],
        "100045.00",
    )
    turned = saver.ask("GET", "/v1/statements?from=2026-07-10&to=2026-07-09")
    assert turned.status == 400


def test_a_trade_is_told_in_words_and_its_charges_are_in_the_amount(
    client: Client, stores: OrderStores
) -> None:
    trader = Trader(stores.shards, client.user_id)
    trader.own(10, 100)
    trader.fill(trader._accepted(trader.place(Side.SELL, 4)), 4, 101)
    bought, sold = client.ask("GET", "/v1/statements").body["entries"][1:]
    assert bought["description"].startswith("Bought 10 ACME at 100.00, charges ")
    assert sold["description"].startswith("Sold 4 ACME at 101.00, charges ")
    assert bought["ref"] is not None
    assert bought["credit"] is None
    assert 400 < Decimal(sold["credit"]) < 404


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00%2B05:30",
                                 "9999-12-31T23:59:59.999999-05:30"])  # fmt: skip
@pytest.mark.parametrize(
    "route", ["/v1/statements?from=", "/v1/statements?to=", "/v1/ledger/at?time=",
              "/v1/orders?from=", "/v1/orders?to="]
)  # fmt: skip
def test_a_moment_at_the_end_of_the_calendar_is_refused_or_answered(
    client: Client, route: str, day: str
) -> None:
    answer = client.ask("GET", route + day)
    assert answer.status in (200, 400, 404), answer.body
