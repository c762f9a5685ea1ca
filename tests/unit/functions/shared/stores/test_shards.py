"""A question finds its slot's home: by memory, by the directory, and within bounded patience."""

from typing import Any

import pytest

from functions.shared.domain.errors import InvariantViolated
from functions.shared.stores import postgres
from functions.shared.stores.postgres import Shards, SlotAway

SLOT = 7
USER = SLOT + 64


class Servers:
    """What the shards would answer: the directory, their addresses, and who is at home where."""

    def __init__(self) -> None:
        self.directory = dict.fromkeys(range(64), 0)
        self.at_home = {0}
        self.added: list[str] = []
        self.asked: list[int] = []

    def answer(self, url: str, sql: str, parameters: dict[str, object]) -> list[list[Any]]:
        if "slot_home" in sql:
            return [[slot, shard] for slot, shard in self.directory.items()]
        if "ledger.shard" in sql:
            known = int(str(parameters["known"]))
            return [
                [number, address] for number, address in enumerate(self.added, 2) if number >= known
            ]
        number = int(url[-1])
        self.asked.append(number)
        if number not in self.at_home:
            raise SlotAway(f"slot {SLOT} is not here")
        return [[number]]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()

    class FakeDatabase:
        def __init__(self, url: str, application: str) -> None:
            self.url = url

        def run(self, sql: str, **parameters: object) -> list[list[Any]]:
            return servers.answer(self.url, sql, parameters)

    monkeypatch.setattr(postgres, "Database", FakeDatabase)
    monkeypatch.setattr(postgres, "MOVE_PATIENCE_SECONDS", 0.03)
    return servers


@pytest.fixture
def shards(servers: Servers) -> Shards:
    return Shards(["postgresql://u:p@h:1/s0", "postgresql://u:p@h:1/s1"], "test")


def test_a_slot_is_asked_where_it_was_last_known_to_be(shards: Shards, servers: Servers) -> None:
    assert [shards.of_user(USER).run("SELECT 1") for _ in range(2)] == [[[0]], [[0]]]
    assert servers.asked == [0, 0]


def test_a_slot_that_moved_is_found_by_asking_the_directory_once(
    shards: Shards, servers: Servers
) -> None:
    shards.of_user(USER).run("SELECT 1")
    servers.directory[SLOT], servers.at_home = 1, {1}
    assert shards.of_user(USER).call("SELECT 1") == [[1]]
    assert shards.number_of_user(USER) == 1
    assert servers.asked == [0, 0, 1]


def test_a_slot_at_home_nowhere_is_waited_for_and_not_for_ever(
    shards: Shards, servers: Servers
) -> None:
    servers.at_home = set()
    with pytest.raises(SlotAway):
        shards.of_user(USER).run("SELECT 1")
    assert len(servers.asked) == 4  # at once, and every 10 ms for 30 ms


def test_a_shard_added_later_is_reached_by_its_address_and_our_login(
    shards: Shards, servers: Servers
) -> None:
    servers.added, servers.directory[SLOT], servers.at_home = ["h:2/s2"], 2, {2}
    assert shards.of_user(USER).run("SELECT 1") == [[2]]
    assert [database.url for database in shards.databases][2] == "postgresql://u:p@h:2/s2"  # type: ignore[attr-defined]


def test_a_home_without_an_address_is_our_fault(shards: Shards, servers: Servers) -> None:
    servers.directory[SLOT] = 2
    with pytest.raises(InvariantViolated, match="shard 2 has no address"):
        shards.of_user(USER).run("SELECT 1")


def test_a_slot_that_nobody_dealt_is_our_fault(shards: Shards, servers: Servers) -> None:
    del servers.directory[SLOT]
    with pytest.raises(InvariantViolated, match="no home for slot 7"):
        shards.of_user(USER).run("SELECT 1")
