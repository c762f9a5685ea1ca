"""Watchlists on real stores: kept, ordered, told to other devices, never written over."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis

from functions.shared.access.principal import person_scopes
from functions.shared.runtime.composition import Stores
from functions.shared.stores.postgres import Shards
from functions.shared.stores.watchlists import Watchlists
from functions.shared.wire.events import user_channel
from functions.shared.wire.notices import WatchlistMoved, decode_notice
from functions.watch import handler, keep_watchlists
from functions.watch.keep_watchlists import WatchSettings
from tests.support.api_events import Answer
from tests.support.eventually import wait_until
from tests.support.person import Person
from tests.support.valkey import ValkeyUnderTest


class Watcher(Person):
    """A person with watchlists."""

    def lists(self, method: str, path: str = "", body: object = None) -> Answer:
        return self.ask(handler.lambda_handler, method, f"/v1/watchlists{path}", body)

    def open(self, name: str, *symbols: str) -> str:
        answer = self.lists("POST", "", {"name": name, "symbols": list(symbols)})
        assert answer.status == 201, answer.body
        return str(answer.body["watchlist_id"])

    def names(self) -> list[str]:
        return [item["name"] for item in self.lists("GET").body["items"]]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> WatchSettings:
    small = WatchSettings(watchlists=3, watchlist_symbols=3)
    monkeypatch.setattr(keep_watchlists, "settings", lambda: small)
    return small


@pytest.fixture
def person(stores: Stores, settings: WatchSettings) -> Watcher:
    return Watcher(stores)


@pytest.fixture
def heard(person: Watcher, valkey: ValkeyUnderTest) -> Iterator[list[WatchlistMoved]]:
    """What the person's devices are told."""
    found: list[WatchlistMoved] = []
    with redis.Redis.from_url(valkey.url) as client:
        listening = client.pubsub(ignore_subscribe_messages=True)
        listening.ssubscribe(user_channel(person.user_id))
        wait_until(lambda: client.pubsub_shardnumsub(user_channel(person.user_id))[0][1] == 1)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                message = listening.get_message(timeout=0.05)
                if message is not None and message["type"] == "smessage":
                    found.append(decode_notice(message["data"]))

        thread = threading.Thread(target=listen)
        thread.start()
        yield found
        stop.set()
        thread.join()
        listening.close()


def test_a_list_is_kept_changed_and_dropped_and_each_step_is_told(
    person: Watcher, heard: list[WatchlistMoved]
) -> None:
    banks = person.open("Banks", "HDFCBANK", "sbin")
    assert person.lists("GET", f"/{banks}").body["symbols"] == ["HDFCBANK", "SBIN"]
    changed = person.lists("PATCH", f"/{banks}", {"version": 1, "symbols": ["SBIN", "M&M"]})
    assert (changed.status, changed.body["version"], changed.body["symbols"]) == (
        200, 2, ["SBIN", "M&M"],
    )  # fmt: skip
    late = person.lists("PATCH", f"/{banks}", {"version": 1, "name": "Late"})
    assert (late.status, late.body["code"]) == (409, "VERSION_MOVED")
    assert person.lists("DELETE", f"/{banks}").status == 204
    assert person.lists("DELETE", f"/{banks}").status == 404
    assert person.lists("GET").body["items"] == []
    wait_until(lambda: len(heard) == 3)
    assert [(each.watchlist_id, each.version) for each in heard] == [
        (banks, 1), (banks, 2), (banks, None),
    ]  # fmt: skip


def test_lists_stand_in_the_persons_order_and_have_names_of_their_own(person: Watcher) -> None:
    first = person.open("A")
    person.open("B")
    third = person.open("C")
    for list_id, version, place, order in (
        (third, 1, 0, ["C", "A", "B"]), (third, 2, 1, ["A", "C", "B"]),
        (first, 1, 99, ["C", "B", "A"]), (first, 2, 2, ["C", "B", "A"]),
        (first, 3, 1, ["C", "A", "B"]),
    ):  # fmt: skip
        moved = person.lists("PATCH", f"/{list_id}", {"version": version, "position": place})
        assert (moved.status, person.names()) == (200, order)
    taken = person.lists("POST", "", {"name": "A"})
    assert (taken.status, taken.body["code"]) == (409, "NAME_TAKEN")
    renamed = person.lists("PATCH", f"/{first}", {"version": 4, "name": "B"})
    assert (renamed.status, renamed.body["code"]) == (409, "NAME_TAKEN")
    many = person.lists("POST", "", {"name": "D"})
    assert (many.status, many.body["code"]) == (409, "TOO_MANY")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "X", "symbols": ["NOSUCH"]}, 404, "UNKNOWN_SYMBOL"),
        ({"name": "X", "symbols": ["SBIN", "sbin"]}, 400, "INVALID_REQUEST"),
        ({"name": "X", "symbols": ["SBIN", "TCS", "INFY", "M&M"]}, 400, "INVALID_REQUEST"),
        ({"name": " \n "}, 400, "INVALID_REQUEST"),
        ({"name": "x" * 41}, 400, "INVALID_REQUEST"),
    ],
)
def test_what_no_list_can_be_is_refused_and_none_is_opened(
    person: Watcher, body: object, status: int, code: str
) -> None:
    refused = person.lists("POST", "", body)
    assert (refused.status, refused.body["code"]) == (status, code)
    assert person.names() == []


def test_a_file_is_added_behind_and_what_is_not_taken_is_named(person: Watcher) -> None:
    mine = person.open("Mine", "TCS")
    text = "symbol\nINFY\nNOSUCH\nTCS\nSBIN\nITC\n"
    tried = person.lists("POST", f"/{mine}/import", {"version": 1, "text": text, "dry_run": True})
    assert (tried.body["added"], tried.body["watchlist"]["version"]) == (2, 1)
    done = person.lists("POST", f"/{mine}/import", {"version": 1, "text": text}).body
    assert done["watchlist"]["symbols"] == ["TCS", "INFY", "SBIN"]
    assert done["refused"] == tried.body["refused"] == [
        {"row": 3, "text": "NOSUCH", "code": "UNKNOWN_SYMBOL"},
        {"row": 4, "text": "TCS", "code": "ALREADY_THERE"},
        {"row": 6, "text": "ITC", "code": "NO_ROOM"},
    ]  # fmt: skip
    again = person.lists("POST", f"/{mine}/import", {"version": 1, "text": text})
    assert (again.status, again.body["code"]) == (409, "VERSION_MOVED")
    broken = person.lists("POST", f"/{mine}/import", {"version": 2, "text": '["TCS"'})
    assert (broken.status, broken.body["code"]) == (400, "INVALID_REQUEST")
    exported = person.lists("GET", f"/{mine}/export")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert exported.body.splitlines()[0] == "symbol,exchange,name,isin"
    assert exported.body.splitlines()[1].startswith("TCS,NSE,Tata Consultancy")
    assert person.lists("GET", f"/{mine}/export?format=json").body == ["TCS", "INFY", "SBIN"]


def test_a_list_is_its_persons_alone(person: Watcher, stores: Stores) -> None:
    mine, other = person.open("Mine"), Watcher(stores)
    for method, body in (("GET", None), ("PATCH", {"version": 1, "name": "Theirs"}),
                         ("DELETE", None)):  # fmt: skip
        assert other.lists(method, f"/{mine}", body).status == 404
    assert person.names() == ["Mine"]


def test_who_may_only_read_changes_nothing(stores: Stores, settings: WatchSettings) -> None:
    frozen = Watcher(stores, person_scopes("FROZEN", ()))
    assert frozen.lists("GET").status == 200
    refused = frozen.lists("POST", "", {"name": "X"})
    assert (refused.status, refused.body["code"]) == (403, "SCOPE_MISSING")


def test_without_valkeys_channel_a_change_is_kept_all_the_same(
    person: Watcher, monkeypatch: pytest.MonkeyPatch, stores: Stores
) -> None:
    def away(*_: object) -> int:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(stores.valkey, "spublish", away)
    person.open("Kept")
    assert person.names() == ["Kept"]


def test_of_two_that_open_the_last_list_at_once_one_does(stores: Stores) -> None:
    person = Watcher(stores)
    lists = keep_watchlists.store(stores)
    outcomes: list[str] = []
    now = datetime.now(UTC)

    def open_one(name: str) -> None:
        own = Shards(stores.settings.postgres_urls, "test")
        outcomes.append(Watchlists(own).open(person.user_id, uuid.uuid4(), name, [], 1, now))
        own.close()

    threads = [threading.Thread(target=open_one, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["OPENED", *["TOO_MANY"] * 3]
    assert len(lists.all(person.user_id)) == 1
