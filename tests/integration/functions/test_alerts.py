"""Price alerts on real stores: set once, told once a day whoever asks how often, mailed, and
rebuilt into the book that waits for them."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from functions.auth import mail_alerts
from functions.orders import act_on_triggers
from functions.shared.clock import wall_now
from functions.shared.domain.price_alerts import AlertKind
from functions.shared.runtime.composition import Stores
from functions.shared.stores.price_alerts import PriceAlerts, WatchedAlert
from functions.shared.wire.events import UserEvent, decode_body, render_event
from functions.shared.wire.trigger_commands import FireAlert, Tick, encode_trigger_command
from functions.watch import handler, keep_watchlists
from functions.watch.keep_watchlists import WatchSettings
from tests.support.api_events import Answer
from tests.support.person import Person

PRICE = 15_000_000


class Owner(Person):
    """A person with price alerts."""

    def alerts(self, method: str, path: str = "", body: object = None) -> Answer:
        return self.ask(handler.lambda_handler, method, f"/v1/alerts{path}", body)

    def set(self, **more: Any) -> Answer:
        wanted = {"symbol": "RELIANCE", "kind": "PRICE_ABOVE", "threshold": "1500.00"}
        return self.alerts("POST", "", {**wanted, **more})

    def facts(self, stores: Stores) -> list[dict[str, Any]]:
        rows = stores.shards.of_user(self.user_id).run(
            "SELECT seq, kind, body FROM ledger.ledger_event WHERE user_id = :user"
            " AND kind LIKE 'ALERT%' ORDER BY seq",
            user=self.user_id,
        )
        return [{"seq": seq, "kind": kind, **json.loads(body)} for seq, kind, body in rows]


def fire(owner: Owner, alert_id: str, version: int, price: int = PRICE, days_ago: int = 0) -> None:
    """As the edge asks, twice over."""
    at = wall_now() - timedelta(days=days_ago)
    command = FireAlert(
        user_id=owner.user_id, alert_id=int(alert_id), version=version, value=price, seen_at=1,
        tick=Tick(price=price, seq=1, timestamp_ms=int(at.timestamp() * 1000)),
    )  # fmt: skip
    data = base64.b64encode(encode_trigger_command(command)).decode()
    record = {"kinesis": {"sequenceNumber": "1", "data": data}}
    answer = act_on_triggers.lambda_handler({"Records": [record, record]}, None)
    assert answer == {"batchItemFailures": []}


@pytest.fixture
def person(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Owner:
    monkeypatch.setattr(keep_watchlists, "settings", lambda: WatchSettings(alerts=3))
    return Owner(stores)


def test_an_alert_is_set_once_changed_and_dropped_and_each_step_is_in_the_log(
    person: Owner, stores: Stores
) -> None:
    first = person.set(note="sell a half")
    assert (first.status, first.body["state"], first.body["threshold"]) == (
        201,
        "WAITING",
        "1500.00",
    )
    again = person.set(note="sell a half")
    assert (again.status, again.body["alert_id"]) == (200, first.body["alert_id"])
    changed = person.set(note="sell all", repeats=True)
    assert (changed.status, changed.body["alert_id"]) == (200, first.body["alert_id"])
    (listed,) = person.alerts("GET").body["items"]
    assert (listed["note"], listed["repeats"]) == ("sell all", True)
    assert person.alerts("DELETE", f"/{first.body['alert_id']}").status == 204
    assert person.alerts("DELETE", f"/{first.body['alert_id']}").status == 404
    assert person.alerts("GET").body["items"] == []
    assert [each["kind"] for each in person.facts(stores)] == [
        "ALERT_SET", "ALERT_SET", "ALERT_DROPPED",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"symbol": "NOSUCH"}, 404, "UNKNOWN_SYMBOL"),
        ({"threshold": "0"}, 400, "INVALID_REQUEST"),
        ({"threshold": "-1.00"}, 400, "INVALID_REQUEST"),
        ({"threshold": "1e3"}, 400, "INVALID_REQUEST"),
        ({"kind": "CHANGE_ABOVE", "threshold": "3.005"}, 400, "INVALID_REQUEST"),
        ({"kind": "CHANGE_BELOW", "threshold": "-101"}, 400, "INVALID_REQUEST"),
        ({"kind": "VOLUME_ABOVE", "threshold": "1.5"}, 400, "INVALID_REQUEST"),
        ({"kind": "NEVER"}, 400, "INVALID_REQUEST"),
        ({"note": "x" * 101}, 400, "INVALID_REQUEST"),
        ({"note": "a\nb"}, 400, "INVALID_REQUEST"),
        ({"surprise": 1}, 400, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_what_would_be(
    person: Owner, more: dict[str, Any], status: int, code: str
) -> None:
    answer = person.set(**more)
    assert (answer.status, answer.body["code"]) == (status, code)


def test_a_user_keeps_no_more_alerts_than_the_setting_and_told_ones_count(
    person: Owner, stores: Stores
) -> None:
    kept = [person.set(threshold=f"{price}.00") for price in (1500, 1600, 1700)]
    fire(person, kept[0].body["alert_id"], 1)
    full = person.set(threshold="1800.00")
    assert (full.status, full.body["code"]) == (409, "TOO_MANY")
    assert person.set(threshold="1700.00").status == 200
    person.alerts("DELETE", f"/{kept[0].body['alert_id']}")
    assert person.set(threshold="1800.00").status == 201


def test_what_came_is_told_once_however_often_it_is_asked(person: Owner, stores: Stores) -> None:
    alert_id = person.set(note="sell").body["alert_id"]
    fire(person, alert_id, 1, PRICE - 1)  # not there yet
    fire(person, alert_id, 2)  # never was of that version
    fire(person, alert_id, 1, days_ago=1)  # a price of another day
    assert [each["kind"] for each in person.facts(stores)] == ["ALERT_SET"]
    fire(person, alert_id, 1)
    told = [each for each in person.facts(stores) if each["kind"] == "ALERT_FIRED"]
    assert len(told) == 1
    body = decode_body(json.dumps({k: v for k, v in told[0].items() if k not in ("seq", "kind")}))
    event = UserEvent(
        user_id=person.user_id, user_seq=told[0]["seq"], kind="ALERT_FIRED", at=0, body=body
    )
    shown = next(each for each in render_event(event) if each["type"] == "alert")
    assert shown == {
        "type": "alert", "user_seq": told[0]["seq"], "code": "PRICE_ALERT", "alert_id": alert_id,
        "symbol": "RELIANCE", "exchange": "NSE", "kind": "PRICE_ABOVE", "threshold": "1500.00",
        "note": "sell", "price": "1500.00", "message": "RELIANCE is at 1500.00 or above: sell",
    }  # fmt: skip
    (listed,) = person.alerts("GET").body["items"]
    assert (listed["state"], listed["fired_price"]) == ("FIRED", "1500.00")


def test_one_that_repeats_is_told_once_a_day_and_watched_on(person: Owner, stores: Stores) -> None:
    alert_id = person.set(repeats=True).body["alert_id"]
    for version in (1, 2, 3):
        fire(person, alert_id, version)
    assert [each["kind"] for each in person.facts(stores)] == ["ALERT_SET", "ALERT_FIRED"]
    mine = [a for page in PriceAlerts(stores.shards).waiting() for a in page
            if a.user_id == person.user_id]  # fmt: skip
    today = mine[0].fired_on
    assert today is not None
    assert mine == [
        WatchedAlert(
            int(alert_id), person.user_id, 2, "RELIANCE", AlertKind.PRICE_ABOVE, PRICE, today
        )
    ]
    now = stores.clock.now() + timedelta(days=1)
    tomorrow = today + timedelta(days=1)
    alerts = PriceAlerts(stores.shards)
    assert alerts.fire(person.user_id, int(alert_id), 2, PRICE, PRICE, tomorrow, now)
    assert not alerts.fire(person.user_id, int(alert_id), 2, PRICE, PRICE, tomorrow, now)


def test_what_was_told_is_due_by_mail_until_it_was_sent(person: Owner, stores: Stores) -> None:
    alert_id = person.set(repeats=True).body["alert_id"]
    fire(person, alert_id, 1)
    alerts = PriceAlerts(stores.shards)

    def due() -> list[int]:
        return [each.version for each in alerts.to_mail(500) if each.user_id == person.user_id]

    assert due() == [2]
    (waiting,) = (each for each in alerts.to_mail(500) if each.user_id == person.user_id)
    alerts.mailed(waiting._replace(version=1))  # told again since that was read
    assert due() == [2]
    mail_alerts.mail_alerts(stores, _Patient(), 0)
    assert due() == []


class _Patient:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000
