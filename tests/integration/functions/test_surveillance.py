"""The fraud watch on real stores: each event counts once, alerts are raised, acted on, reviewed."""

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.shared.bookkeeping import restricting
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.clock import micros, trade_date
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.stores.objects import FileObjects
from functions.shared.stores.postgres import Shards
from functions.shared.stores.surveillance import Surveillance
from functions.shared.wire.surveillance import Seen, decode_seen, encode_watch
from functions.surveillance import carry_out, each_minute, watch_events
from tests.support.officers import Hire

IN_TIME: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
FUNDS = {"cash": 0, "held": 0, "borrowed": 0, "unsettled": 0, "blocked": 0, "seq": 1}


@pytest.fixture
def reports(stores: Stores, tmp_path: Path) -> Path:
    folder = tmp_path / "objects"
    stores.__dict__["objects"] = FileObjects(folder)
    return folder / "surveillance"


class Customer:
    """One whose trades reach the stream; `user_seq` goes on behind the account's opening."""

    def __init__(self, stores: Stores, user_id: int | None = None) -> None:
        self.stores = stores
        self.user_id = user_id or uuid.uuid4().int >> 80
        open_account(stores.shards, self.user_id, stores.clock.now())
        self._seq = 1
        self._at = micros(stores.clock.now())
        self.day = trade_date(stores.clock.now()).isoformat()

    def event(self, kind: str, **body: object) -> bytes:
        self._seq += 1
        self._at += 1_000_000
        told = {
            "user_id": self.user_id, "user_seq": self._seq, "kind": kind, "at": self._at,
            "body": {"v": 1, "funds": {**FUNDS, "seq": self._seq}, **body},
        }  # fmt: skip
        return json.dumps(told).encode()

    def trade(self, side: str, quantity: int, symbol: str = "ACME") -> bytes:
        fill = {
            "order_id": 7_000 + self._seq, "exec_id": f"E{self._seq}", "symbol": symbol,
            "side": side, "product": "CNC", "quantity": quantity, "price": 1_000_000,
            "value": quantity * 10_000, "charges": 0, "heads": [0] * 7, "trade_date": self.day,
            "settles_on": self.day, "at": self._at,
        }  # fmt: skip
        return self.event("FILL", fill=fill)

    def washes(self, times: int) -> list[bytes]:
        return [self.trade(side, 10) for _ in range(times) for side in ("BUY", "SELL")]

    def alerts(self) -> list[tuple[str, int, str]]:
        """By rule, score and state; what the forest finds has tests of its own."""
        found = Surveillance(self.stores.shards.control).alerts(500, None, 0, None)
        return [
            (a.rule, a.score, a.state)
            for a in found
            if a.user_id == self.user_id and a.rule != "UNUSUAL"
        ]

    def kept(self) -> tuple[int, str]:
        """The number of the latest event that is counted, and what is kept of all."""
        mine = Surveillance(self.stores.shards.control).watches([self.user_id])[self.user_id]
        return mine.seq, encode_watch(mine.watch)

    def log(self) -> list[str]:
        rows = self.stores.shards.of_user(self.user_id).run(
            "SELECT kind FROM ledger.ledger_event WHERE user_id = :u ORDER BY seq", u=self.user_id
        )
        return [kind for (kind,) in rows]


def deliver(records: Sequence[bytes]) -> list[dict[str, str]]:
    event = {
        "Records": [
            {"kinesis": {"sequenceNumber": str(n), "data": base64.b64encode(record).decode()}}
            for n, record in enumerate(records)
        ]
    }
    answer: list[dict[str, str]] = watch_events.lambda_handler(event, IN_TIME)["batchItemFailures"]
    return answer


def test_more_than_ten_round_trips_restrict_the_stock_once_and_tell_the_exchange(
    stores: Stores, reports: Path
) -> None:
    customer = Customer(stores)
    records = customer.washes(10)
    assert deliver(records) == []
    assert customer.alerts() == []
    records += customer.washes(1)
    for _ in range(3):
        assert deliver(records) == []  # the stream delivers again from where it likes
    assert [(rule, state) for rule, _, state in customer.alerts()] == [("WASH_TRADING", "OPEN")]
    assert customer.log() == ["ACCOUNT_OPENED", "SYMBOL_RESTRICTED"]
    [report] = [json.loads(path.read_text()) for path in reports.iterdir()]
    assert report["account"] == str(customer.user_id)
    assert (report["symbol"], report["round_trips"]) == ("ACME", 11)


def test_a_batch_cut_anywhere_counts_as_one_that_was_not(stores: Stores, reports: Path) -> None:
    one, other = Customer(stores), Customer(stores)
    whole, cut = one.washes(12), other.washes(12)
    deliver(whole)
    for first in range(0, len(cut), 5):
        deliver(cut[max(0, first - 3) : first + 5])
    assert one.alerts() == other.alerts() != []
    assert one.kept()[0] == other.kept()[0]


def test_what_the_stream_did_not_bring_is_read_from_the_users_log(stores: Stores) -> None:
    customer = Customer(stores)
    [[at]] = stores.shards.of_user(customer.user_id).run(
        "SELECT at FROM ledger.ledger_event WHERE user_id = :u", u=customer.user_id
    )
    for alert in (1, 2):
        cause = restricting.RestrictionCause(1, "BUY", 1, 11)
        restricting.restrict_symbol(
            stores.shards, customer.user_id, alert, "ACME", cause, at + timedelta(days=1), at
        )
    events = watch_events.events_between(stores.shards, customer.user_id, 0, 4, 10)
    assert [event.user_seq for event in events] == [1, 2, 3]
    customer._seq = 3
    assert deliver([customer.trade("BUY", 1)]) == []
    assert customer.kept()[0] == 4


def test_of_two_readers_of_one_batch_one_counts(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = Customer(stores)
    records = [decode_seen(record) for record in customer.washes(3)]
    store_in = Surveillance.take_in
    late: list[Callable[[], None]] = []

    def hold(self: Surveillance, *arguments: Any, **named: Any) -> None:
        late.append(lambda: store_in(self, *arguments, **named))

    monkeypatch.setattr(Surveillance, "take_in", hold)
    watch_events.take(stores, records)
    monkeypatch.setattr(Surveillance, "take_in", store_in)
    watch_events.take(stores, records)
    counted = customer.kept()
    with pytest.raises(Retryable):
        late[0]()
    assert customer.kept() == counted
    assert traded(stores, customer.user_id) == (30, 30)


def traded(stores: Stores, user_id: int) -> tuple[int, int]:
    [row] = stores.shards.control.run(
        "SELECT sum(bought)::bigint, sum(sold)::bigint FROM surveillance.trader_day"
        " WHERE user_id = :u::bigint",
        u=user_id,
    )
    return int(row[0]), int(row[1])


def test_a_store_that_is_away_hands_the_batch_back_and_a_bad_record_stops_nobody(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = Customer(stores)
    records = [b"not an event", *customer.washes(1)]

    def away(*_: object, **__: object) -> None:
        raise Retryable("away")

    with monkeypatch.context() as patched:
        patched.setattr(Surveillance, "take_in", away)
        assert deliver(records) == [{"itemIdentifier": "0"}]
    assert customer.kept()[0] == 0
    assert deliver(records) == []
    assert traded(stores, customer.user_id) == (10, 10)


@pytest.mark.parametrize("dies_at", ["restrict_symbol", "encode_report"])
def test_a_measure_that_was_not_taken_is_taken_by_the_schedule_and_ends_after_its_day(
    stores: Stores, reports: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    customer = Customer(stores)

    def away(*_: object, **__: object) -> None:
        raise Retryable("away")

    with monkeypatch.context() as patched:
        patched.setattr(carry_out, dies_at, away)
        deliver(customer.washes(11))
    assert not reports.exists()
    assert each_minute.lambda_handler({}, IN_TIME)["measures"] == 1
    assert each_minute.lambda_handler({}, IN_TIME)["measures"] == 0
    assert customer.log()[1:] == ["SYMBOL_RESTRICTED"]
    assert len(list(reports.iterdir())) == 1
    later = stores.clock.now() + timedelta(hours=25)
    monkeypatch.setattr(type(stores.clock), "now", lambda _: later)
    assert each_minute.lambda_handler({}, IN_TIME)["ended"] >= 1
    assert customer.log()[2:] == ["SYMBOL_RESTRICTION_ENDED"]


def test_a_new_place_and_a_withdrawal_are_a_takeover_whichever_is_known_first(
    stores: Stores, owner: Shards
) -> None:
    early, late = Customer(stores), Customer(stores)
    payment = {"payment_id": 1, "amount": 900_000}
    withdrawal = early.event("WITHDRAWAL_REQUESTED", payment=payment)
    tell(owner, early.user_id, "CHALLENGE_PASSED", {})
    each_minute.lambda_handler({}, IN_TIME)
    deliver([withdrawal])
    tell(owner, late.user_id, "CHALLENGE_PASSED", {})
    deliver([late.event("WITHDRAWAL_REQUESTED", payment=payment)])
    assert late.alerts() == []
    each_minute.lambda_handler({}, IN_TIME)
    each_minute.lambda_handler({}, IN_TIME)
    assert early.alerts() == late.alerts() == [("TAKEOVER", 70, "OPEN")]


def test_what_no_rule_looks_back_to_is_forgotten(stores: Stores, owner: Shards) -> None:
    customer = Customer(stores)
    deliver(customer.washes(1))
    owner.control.run(
        "INSERT INTO surveillance.trader_day SELECT symbol, day - n, user_id, 1, 1, 1, 1"
        " FROM surveillance.trader_day, unnest(ARRAY[7, 8, 30]) n WHERE user_id = :u::bigint",
        u=customer.user_id,
    )
    each_minute.lambda_handler({}, IN_TIME)
    [[days]] = stores.shards.control.run(
        "SELECT count(*) FROM surveillance.trader_day WHERE user_id = :u::bigint",
        u=customer.user_id,
    )
    assert days == 2


def tell(owner: Shards, user_id: int, action: str, detail: dict[str, object]) -> None:
    owner.control.run(
        "SELECT identity.write_audit(:u::bigint, 'user', :u::bigint, :action::text,"
        " '203.0.113.9', NULL, NULL, :detail::jsonb)",
        u=user_id, action=action, detail=json.dumps(detail),
    )  # fmt: skip


def test_a_device_a_bank_account_and_a_network_of_few_link_accounts_and_one_of_many_does_not(
    stores: Stores, hire: Hire, owner: Shards
) -> None:
    users = [hire().user_id for _ in range(9)]
    one, device, bank, home, *office = users
    run = owner.control.run
    run("DELETE FROM identity.place")  # all of them have signed in from one address
    run("DELETE FROM identity.device")
    for user in (one, device):
        run(
            "INSERT INTO identity.device VALUES (:u::bigint, sha256('tablet'), now(), now(), 'n')",
            u=user,
        )
    for user in (one, bank):
        run("INSERT INTO identity.bank_mark VALUES (:u::bigint, sha256('account'))", u=user)
    for network, members in (("203.0.113.50", [one, home]), ("203.0.113.60", [one, *office])):
        for user in members:
            run(
                "INSERT INTO identity.place VALUES (:u::bigint, :n::text, 'IN', now(), now())",
                u=user, n=network,
            )  # fmt: skip
    store = Surveillance(stores.shards.control)
    assert store.links(users)[one] == {device, bank, home}
    assert store.links([home]) == {home: frozenset({one})}
    assert store.links([office[0]]) == {}


def test_a_group_that_pumps_is_found_over_batches_and_days(stores: Stores, owner: Shards) -> None:
    group = [Customer(stores) for _ in range(3)]
    symbol = f"T{uuid.uuid4().hex[:8].upper()}"
    for user in group:
        owner.control.run(
            "INSERT INTO surveillance.trader_day VALUES (:s, :d::date - 1, :u::bigint, 0, 0, 0, 0)",
            s=symbol, d=group[0].day, u=user.user_id,
        )  # fmt: skip
    owner.control.run(
        "INSERT INTO surveillance.stock_day SELECT :s, :d::date - n, 100, 1000000, 1000000, 900000"
        " FROM generate_series(1, 10) n",
        s=symbol, d=group[0].day,
    )  # fmt: skip
    links = {u.user_id: frozenset(o.user_id for o in group if o is not u) for u in group}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Surveillance, "links", lambda _, users: {u: links[u] for u in users})
        for side in ("BUY", "SELL"):
            for user in group:
                assert deliver([user.trade(side, 300, symbol)]) == []
    found = Surveillance(stores.shards.control).alerts(500, "OPEN", 0, None)
    [alert] = [each for each in found if each.rule == "PUMP_AND_DUMP"]
    assert {alert.user_id, *map(int, alert.detail["others"])} == set(links)
    assert alert.symbol == symbol


def test_a_user_whose_log_can_not_be_read_stops_nobody_else(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = Customer(stores), Customer(stores)
    broken._seq = 5  # what is before it has to be read from the log

    def unreadable(_shards: Shards, user_id: int, *rest: int) -> list[Seen]:
        if user_id == broken.user_id:
            raise InvariantViolated("the log can't be read")
        return real(_shards, user_id, *rest)

    real = watch_events.events_between
    monkeypatch.setattr(watch_events, "events_between", unreadable)
    assert deliver([broken.trade("BUY", 1), *sound.washes(1)]) == []
    assert broken.kept()[0] == 0
    assert sound.kept()[0] == 3
