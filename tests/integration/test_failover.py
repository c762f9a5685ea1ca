"""Clients that come back: no node's death, hang or silent link costs them an event."""

from tests.support.failover import fail_over
from tests.support.valkey import valkey_server

CLIENTS = 200


async def test_clients_of_a_node_that_is_lost_go_on_at_another_and_miss_no_event() -> None:
    with valkey_server() as valkey:
        _, half_open, hung, killed = await fail_over(valkey.url, CLIENTS)
    assert 0 < len(half_open.back_seconds) <= CLIENTS  # the rest began on the other node
    assert len(hung.back_seconds) + len(killed.back_seconds) > 0
