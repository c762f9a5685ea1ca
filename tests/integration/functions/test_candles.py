"""Candles, 52-week ranges and movers over HTTP; the candles on a real ClickHouse."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import pytest

from functions.market import handler as market
from functions.market import movers, show_candles
from functions.shared.clock import micros, wall_now
from functions.shared.domain.calendar import INDIA, market_status
from functions.shared.domain.errors import Refused
from functions.shared.runtime.composition import Stores
from functions.shared.stores.candles import Candle, CandleStore
from functions.shared.stores.postgres import Shards
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from infra.local.clickhouse import is_installed
from tests.support.api_events import Answer
from tests.support.clickhouse import embedded_clickhouse
from tests.support.person import Person

FRIDAY = date(2026, 7, 10)
PRICE = 10_000


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CandleStore]:
    if not is_installed():
        pytest.skip("`make setup CLICKHOUSE=yes` installs the embedded ClickHouse")
    with embedded_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        store = CandleStore.open(running.url)
        store.write([minute(FRIDAY, 9, 15, 100), minute(FRIDAY, 9, 16, 103),
                     minute(FRIDAY, 15, 29, 90), minute(FRIDAY - timedelta(days=1), 9, 15, 80),
                     minute(today(), 0, 0, 120)])  # fmt: skip
        store.keep_days(midnight(FRIDAY - timedelta(days=1)), midnight(FRIDAY + timedelta(days=1)))
        yield store


@pytest.fixture
def candles(clickhouse: CandleStore, monkeypatch: pytest.MonkeyPatch) -> CandleStore:
    monkeypatch.setattr(show_candles, "candle_store", lambda: clickhouse)
    return clickhouse


@pytest.fixture
def person(stores: Stores) -> Person:
    return Person(stores)


def today() -> date:
    """The trade date, on any day of the week."""
    return market_status(wall_now(), "nse").trade_date


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), INDIA)


def minute(day: date, hour: int, minutes: int, rupees: int) -> Candle:
    at = int(datetime.combine(day, time(hour, minutes), INDIA).timestamp()) // 60
    price = rupees * PRICE
    return Candle("TCS", at, price, price + PRICE, price - PRICE, price, 10, 10 * price, 1)


def ask(person: Person, query: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return person.ask(market.lambda_handler, "GET", f"/v1/candles/{query}", headers=sent)


def bars(answer: Answer) -> list[tuple[str, str, str, str, str, int]]:
    assert answer.status == 200, answer.body
    return [(i["time"][:16], i["open"], i["high"], i["low"], i["close"], i["volume"])
            for i in answer.body["items"]]  # fmt: skip


def test_minutes_hours_days_and_weeks_of_closed_days(person: Person, candles: CandleStore) -> None:
    about = f"&from={FRIDAY}&to={FRIDAY}"
    assert bars(ask(person, f"TCS?interval=1m{about}")) == [
        ("2026-07-10T03:45", "100.00", "101.00", "99.00", "100.00", 10),
        ("2026-07-10T03:46", "103.00", "104.00", "102.00", "103.00", 10),
        ("2026-07-10T09:59", "90.00", "91.00", "89.00", "90.00", 10),
    ]
    assert bars(ask(person, f"TCS?interval=60m{about}")) == [
        ("2026-07-10T03:45", "100.00", "104.00", "99.00", "103.00", 20),
        ("2026-07-10T09:45", "90.00", "91.00", "89.00", "90.00", 10),
    ]
    thursday = f"&from={FRIDAY - timedelta(days=1)}&to={FRIDAY}"
    assert bars(ask(person, f"TCS?interval=day{thursday}")) == [
        ("2026-07-08T18:30", "80.00", "81.00", "79.00", "80.00", 10),
        ("2026-07-09T18:30", "100.00", "104.00", "89.00", "90.00", 30),
    ]
    weeks = ask(person, f"TCS?interval=week{thursday}")
    assert bars(weeks) == [("2026-07-05T18:30", "80.00", "104.00", "79.00", "90.00", 40)]
    assert (weeks.body["from"], weeks.body["to"], weeks.body["adjusted"]) == (
        "2026-07-09", "2026-07-10", False,
    )  # fmt: skip
    assert bars(ask(person, f"INFY?interval=1m{about}")) == []


def test_earlier_days_are_adjusted_for_a_split_and_a_bonus_when_asked(
    person: Person, candles: CandleStore, stores: Stores, owner: Shards
) -> None:
    """Two for one on Friday, then one more for each: a share of Thursday is four now."""
    (token,) = (each.token for each in stores.instruments.by_symbol().values()
                if each.symbol == "TCS")  # fmt: skip
    for ex_date, kind, given in ((FRIDAY, "SPLIT", 2), (FRIDAY + timedelta(days=3), "BONUS", 1)):
        owner.control.run(
            "INSERT INTO market.corporate_action VALUES (:token, :ex_date, :kind, :given, 1, 't')",
            token=token, ex_date=ex_date, kind=kind, given=given,
        )  # fmt: skip
    about = f"&from={FRIDAY - timedelta(days=1)}&to={FRIDAY}"
    shown = ask(person, f"TCS?interval=day&adjusted=true{about}")
    assert shown.body["adjusted"] is True
    assert bars(shown) == [
        ("2026-07-08T18:30", "20.00", "20.25", "19.75", "20.00", 40),
        ("2026-07-09T18:30", "50.00", "52.00", "44.50", "45.00", 60),
    ]
    week = bars(ask(person, f"TCS?interval=week&adjusted=true{about}"))
    assert week == [("2026-07-05T18:30", "20.00", "52.00", "19.75", "45.00", 100)]
    minutes = bars(ask(person, f"TCS?interval=1m&adjusted=true&from={FRIDAY}&to={FRIDAY}"))
    assert minutes[0] == ("2026-07-10T03:45", "50.00", "50.50", "49.50", "50.00", 20)
    as_traded = bars(ask(person, f"TCS?interval=day{about}"))
    owner.control.run("DELETE FROM market.corporate_action")
    assert as_traded[0] == ("2026-07-08T18:30", "80.00", "81.00", "79.00", "80.00", 10)


def test_a_closed_day_is_kept_for_an_hour_and_told_again_in_no_bytes(
    person: Person, candles: CandleStore
) -> None:
    query = f"TCS?interval=5m&from={FRIDAY}&to={FRIDAY}"
    first = ask(person, query)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=3600"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = ask(person, query, If_None_Match=known)
        assert (again.status, again.raw["body"], again.headers["etag"]) == (304, "", tag)
    assert ask(person, query, If_None_Match='"other"').status == 200


def test_the_running_day_is_told_of_its_minutes_and_kept_for_seconds(
    person: Person, candles: CandleStore
) -> None:
    for query in ("TCS", f"TCS?interval=1m&from={today()}", "TCS?interval=week"):
        answer = ask(person, query)
        assert bars(answer)[-1][1:] == ("120.00", "121.00", "119.00", "120.00", 10)
        assert answer.headers["cache-control"] == "public, max-age=5"


@pytest.mark.parametrize(
    "query",
    [
        "interval=1m&from=2026-07-01&to=2026-07-08", "interval=day&from=2010-01-01&to=2026-01-01",
        "from=2026-07-10&to=2026-07-09", "to=0001-01-01", "to=9999-12-31", "from=0001-01-01",
        "interval=2m", "interval=1m&from=20260701", "from=2026-07-10T09:15:00Z",
    ],
)  # fmt: skip
def test_a_span_that_is_too_long_or_none_is_a_400(
    person: Person, candles: CandleStore, query: str
) -> None:
    answer = ask(person, f"TCS?{query}")
    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")


def test_where_no_candles_are_kept_it_is_said(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> CandleStore:
        raise Refused(404, "NO_CANDLES", "no candles are kept here")

    monkeypatch.setattr(show_candles, "candle_store", none)
    answer = ask(person, "TCS")
    assert (answer.status, answer.body["code"]) == (404, "NO_CANDLES")
    assert answer.headers["cache-control"] == "no-store"
    assert ask(person, "NOSUCH").body["code"] == "UNKNOWN_SYMBOL"


def quote(stores: Stores, symbol: str, rupees: int, volume: int = 5) -> None:
    at, price = micros(wall_now()) // 1000, rupees * PRICE
    value = Quote(symbol, 1, 1, at, price, 1, price, price + PRICE, 60 * PRICE, 100 * PRICE,
                  volume, price)  # fmt: skip
    stores.valkey.set(quote_key(symbol), encode_value(encode_record(value)))


def test_the_range_of_52_weeks_has_the_running_day_in_it(
    person: Person, candles: CandleStore, stores: Stores
) -> None:
    candles.keep_days(midnight(today()), midnight(today() + timedelta(days=1)))
    quote(stores, "TCS", 130)
    target = "/v1/market/year-ranges?symbols=TCS,INFY"
    tcs, infy = person.ask(market.lambda_handler, "GET", target).body["items"]
    assert (tcs["high_52_weeks"], tcs["low_52_weeks"]) == ("131.00", "60.00")
    assert (infy["high_52_weeks"], infy["low_52_weeks"]) == (None, None)


def test_movers_are_quotes_in_their_order(
    person: Person, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "_movers", movers.Movers())
    for symbol, rupees in (("TCS", 110), ("INFY", 120), ("SBIN", 90)):
        quote(stores, symbol, rupees, volume=rupees)

    def symbols(query: str) -> list[str]:
        answer = person.ask(market.lambda_handler, "GET", f"/v1/market/movers{query}")
        return [item["symbol"] for item in answer.body["items"]]

    assert symbols("") == ["INFY", "TCS"]
    assert symbols("?by=LOSERS") == ["SBIN"]
    assert symbols("?by=VOLUME&limit=2") == ["INFY", "TCS"]
