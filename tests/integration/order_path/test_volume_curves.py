"""Curves of volume: drawn of candles each trading day, and what a VWAP goes by because of them."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from functions.orders import draw_volume_curves
from functions.shared.domain.sessions import SecurityClass
from functions.shared.domain.volume_history import Session, session_of, sessions_like
from functions.shared.stores.candles import Candle, CandleStore
from infra.local.clickhouse import is_installed
from tests.integration.order_path.conftest import Client, OrderStores, opened_stores
from tests.support.bank import BankProcess
from tests.support.clickhouse import EmbeddedUnderTest, embedded_clickhouse
from tests.support.ledger import NOON
from tests.support.postgres import PostgresUnderTest

OTHER = SecurityClass.OTHER
TODAY, MONDAY = date(2026, 7, 10), date(2026, 7, 13)
#: Noon is the 165th minute of the session.
AT_NOON = 165
VWAP: dict[str, Any] = {
    "client_id": "p", "kind": "VWAP", "side": "BUY", "quantity": 10, "participation_percent": 20,
    "starts_at": "2026-07-10T06:30:00Z", "ends_at": "2026-07-10T07:00:00Z", "interval_minutes": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(postgres: PostgresUnderTest, bank: BankProcess) -> Iterator[OrderStores]:
    """Databases of this module's own: curves are everybody's."""
    with opened_stores(postgres, bank) as made:
        yield made


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedUnderTest]:
    if not is_installed():
        pytest.skip("`make setup CLICKHOUSE=yes` installs the embedded ClickHouse")
    with embedded_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


class Context:
    """Lambda's, with time left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def drawn() -> int:
    return draw_volume_curves.lambda_handler({}, Context())["drawn"]


def sessions(day: date) -> list[Session]:
    """The trading days before it, newest first."""
    today = session_of(day, "nse", OTHER)
    assert today is not None
    return sessions_like(today, "nse", OTHER, 20)


def traded(symbol: str, session: Session, volume_at_noon: int) -> list[Candle]:
    """A day of a hundred shares a minute, and that many in the ten from noon on."""
    noon = range(AT_NOON, AT_NOON + 10)
    return [
        Candle(symbol, session.first + n, 1, 1, 1, 1, volume_at_noon if n in noon else 100, 1, 1)
        for n in range(session.minutes)
    ]


def vwap(client: Client, symbol: str, **changes: object) -> Any:
    answer = client.ask("POST", "/v1/plans", VWAP | {"symbol": symbol} | changes)
    assert answer.status == 202, answer.body
    plan = answer.body
    assert sum(each["planned_quantity"] for each in plan["slices"]) == plan["quantity"]
    return plan


def volumes(plan: Any) -> list[int]:
    return [each["expected_volume"] for each in plan["slices"]]


def test_a_vwap_goes_by_the_symbols_own_twenty_days_whatever_becomes_of_the_candles(
    client: Client, stores: OrderStores, clickhouse: EmbeddedUnderTest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert drawn() == 0  # nobody said where candles are
    monkeypatch.setenv("OUTCRY_CLICKHOUSE_URL", clickhouse.url)
    before, store = sessions(TODAY), CandleStore.open(clickhouse.url)
    half, days = before[2], [each for n, each in enumerate(before[:22]) if n != 2]
    for day in days:
        store.write(traded("RELIANCE", day, 500))
    for day in days[:3]:
        store.write(traded("M&M", day, 500))
    store.write([each for each in traded("RELIANCE", half, 10**6) if each.minute % 1_440 < 430])

    stores.clock.at = NOON - timedelta(hours=11, minutes=59)  # a minute after midnight
    assert drawn() == 0
    stores.clock.at = NOON
    assert drawn() == 1
    assert drawn() == 0  # they are drawn

    plan = vwap(client, "RELIANCE")
    assert plan["volume_curve"] == (
        f"RELIANCE by the minute, 20 days from {days[19].day} to 2026-07-09 (since 2026-07-10)"
    )
    assert volumes(plan) == [5_000, 1_000, 1_000]
    assert [each["planned_quantity"] for each in plan["slices"]] == [7, 2, 1]
    assert vwap(client, "M&M", client_id="q")["volume_curve"].startswith("assumed")

    clickhouse.stop()
    stores.clock.at = NOON + timedelta(days=3)
    assert drawn() == 0
    moved = {"starts_at": "2026-07-13T06:30:00Z", "ends_at": "2026-07-13T07:00:00Z"}
    held = vwap(client, "RELIANCE", client_id="r", **moved)
    assert held["volume_curve"] == plan["volume_curve"]
    clickhouse.start()
    store.write(traded("RELIANCE", sessions(MONDAY)[0], 2_500))  # on Friday
    assert drawn() == 1
    newer = vwap(client, "RELIANCE", client_id="s", **moved)
    assert newer["volume_curve"].endswith("to 2026-07-10 (since 2026-07-13)")
    assert volumes(newer)[0] > 5_000
    assert (
        client.ask("GET", f"/v1/plans/{plan['plan_id']}").body["volume_curve"]
        == (plan["volume_curve"])
    )


def test_a_window_in_which_nobody_traded_goes_by_the_curve_of_all(
    client: Client, stores: OrderStores, clickhouse: EmbeddedUnderTest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OUTCRY_CLICKHOUSE_URL", clickhouse.url)
    monkeypatch.setenv("OUTCRY_VOLUME_CURVE_DAYS", "3")
    monkeypatch.setenv("OUTCRY_VOLUME_CURVE_DAYS_LEAST", "2")
    store, day = CandleStore.open(clickhouse.url), date(2026, 7, 16)
    for session in sessions(day)[:3]:
        opening = Candle("M&M", session.first, 1, 1, 1, 1, 900, 1, 1)
        store.write([opening, *traded("RELIANCE", session, 100)])
    stores.clock.at = NOON + timedelta(days=6)
    assert drawn() == 2
    moved = {"starts_at": "2026-07-16T06:30:00Z", "ends_at": "2026-07-16T07:00:00Z"}
    assert vwap(client, "M&M", client_id="p", **moved)["volume_curve"].startswith("assumed")


def test_curves_that_were_followed_long_ago_go_and_a_holiday_draws_none(
    stores: OrderStores, clickhouse: EmbeddedUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTCRY_CLICKHOUSE_URL", clickhouse.url)
    monkeypatch.setenv("OUTCRY_VOLUME_CURVE_DAYS", "4")
    monkeypatch.setenv("OUTCRY_VOLUME_CURVE_DAYS_LEAST", "4")
    store, day = CandleStore.open(clickhouse.url), date(2026, 7, 30)
    stores.clock.at = NOON + timedelta(days=15)  # a Saturday
    assert drawn() == 0
    for session in sessions(day)[:4]:
        store.write(traded("TCS", session, 100))
    stores.clock.at = NOON + timedelta(days=20)
    assert drawn() == 1
    kept = stores.shards.databases[0].run(
        "SELECT symbol, valid_from FROM ledger.volume_curve WHERE days IS NOT NULL ORDER BY 1, 2"
    )
    assert [tuple(row) for row in kept] == [
        ("M&M", date(2026, 7, 16)), ("RELIANCE", date(2026, 7, 16)), ("TCS", day),
    ]  # fmt: skip
