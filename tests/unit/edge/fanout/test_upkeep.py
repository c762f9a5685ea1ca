"""A sweep finds what a mistake left behind, whichever set it is in, and memory raises its alarm."""

import asyncio
from collections.abc import Callable

import pytest

from edge.fanout import upkeep
from edge.fanout.client import Client
from edge.fanout.limits import Limits
from edge.fanout.server import Connection, StreamServer
from edge.fanout.upkeep import Upkeep
from tests.support.fanout import Floor, principal


class House(Floor):
    """A core under a server without a socket."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self.server = StreamServer(self.hub, self.reception)
        self.upkeep = Upkeep(self.server)

    def guest(self, user_id: int = 7) -> tuple[Client, Connection]:
        """A connection that has signed in and watches a symbol."""
        connection = Connection(self.server)
        client = connection.client
        connection.admitted, connection.address = True, "192.0.2.1"
        self.server.connections.add(connection)
        self.server.admission.enter("192.0.2.1", 1.0)
        self.hub.enter(client)
        self.reception.connected(client, None, 0.0)
        self.reception.verified(client, principal(user_id, f"s{user_id}"))
        self.hub.subscribe(client, ["S1", "S2"], "ltp")
        return client, connection


def forget_group(house: House, client: Client) -> None:
    house.hub._groups[client.group].discard(client)


def forget_all(house: House, client: Client) -> None:
    house.reception.gone(client)


def forget_user(house: House, client: Client) -> None:
    """Its user's set, by which the books of a user live."""
    assert client.user_id is not None
    house.private._users[client.user_id].clear()


@pytest.mark.parametrize("forget", [forget_group, forget_user, forget_all, lambda house, client: 0])
async def test_whatever_is_left_of_a_gone_connection_is_found_and_dropped(
    forget: Callable[[House, Client], None],
) -> None:
    house = House()
    house.guest(1)
    _, stays = house.guest(2)
    client, lost = house.guest(3)
    house.server.closing[lost] = 1.0
    house.tick()
    house.tick()  # all are idle now, and in that set, too
    assert await house.upkeep.sweep() == 0
    forget(house, client)
    house.server.connections.discard(lost)
    assert await house.upkeep.sweep() >= 2  # closing and the count of its address at least
    assert await house.upkeep.sweep() == 0
    assert (house.upkeep.sweeps, house.upkeep.leftovers > 0) == (3, True)
    assert (len(house.hub), house.server.admission.inside) == (2, 2)
    assert house.doors.channels == {"user:{u01}:1", "user:{u02}:2"}
    for other in house.hub.clients():
        house.reception.gone(other)
    assert house.reception.leftovers == 0
    assert stays in house.server.connections


async def test_a_sweep_lets_others_come_and_go_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sets change under it, and nobody who is there is taken for a leftover."""
    monkeypatch.setattr(upkeep, "PIECE", 1)
    house = House()
    guests = [house.guest(number) for number in range(1, 30)]
    sweeping = asyncio.create_task(house.upkeep.sweep())
    for number in range(30, 60):
        await asyncio.sleep(0)
        house.guest(number)
        client, connection = guests.pop() if guests else house.guest(number + 100)
        house.reception.gone(client)
        house.server.connections.discard(connection)
        house.server.admission.leave("192.0.2.1")
    assert await sweeping == 0
    assert len(house.hub) == len(house.server.connections)


async def test_memory_near_its_limit_raises_one_alarm_until_it_has_fallen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(Limits(memory_bytes=2_000, workers=2))
    raised = []
    for used in (500, 749, 750, 990, 740, 710, 690, 749, 760):
        monkeypatch.setattr(upkeep, "resident_bytes", lambda used=used: used)
        raised.append((house.upkeep.look_at_memory(), house.upkeep.memory_alarm))
    assert raised == [
        (False, False), (False, False), (True, True), (False, True), (False, True), (False, True),
        (False, False), (False, False), (True, True),
    ]  # fmt: skip
