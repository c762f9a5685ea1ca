"""Addresses of a Valkey server and of a cluster."""

import pytest

from functions.shared.stores.valkey_address import Node, ValkeyAddress


def test_one_server_is_one_node() -> None:
    address = ValkeyAddress.parse("rediss://us%40er:p%2Fw@cache:6380/0?x=1")
    assert address == ValkeyAddress((Node("cache", 6380),), False, True, "us@er", "p/w")
    assert ValkeyAddress.parse("redis://:secret@10.0.0.1").nodes == (Node("10.0.0.1", 6379),)
    assert ValkeyAddress.parse("redis://[::1]:7/3").nodes == (Node("::1", 7),)


def test_a_cluster_is_named_by_any_of_its_nodes() -> None:
    address = ValkeyAddress.parse("redis-cluster://:secret@a:1,b,c:3")
    assert address.nodes == (Node("a", 1), Node("b", 6379), Node("c", 3))
    assert (address.cluster, address.tls) == (True, False)
    assert address.options(Node("d", 4)) == {
        "host": "d", "port": 4, "username": None, "password": "secret", "ssl": False,
    }  # fmt: skip
    assert ValkeyAddress.parse("rediss-cluster://a:1").tls


@pytest.mark.parametrize(
    "url",
    ["", "http://a:1", "redis:", "redis://", "redis-cluster://a:1,,b:2", "redis-cluster://a:1/3"],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Valkey"):
        ValkeyAddress.parse(url)
