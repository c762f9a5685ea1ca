"""A load goes to this machine alone."""

import pytest

from infra.load.target import NotLocal, Target, local_target


def test_loopback_addresses_are_taken_apart() -> None:
    assert local_target("ws://127.0.0.1:7401/v1/stream") == Target("127.0.0.1", 7401, "/v1/stream")
    assert local_target("ws://localhost:7401") == Target("127.0.0.1", 7401, "/")
    assert local_target("ws://[::1]:7401/x") == Target("::1", 7401, "/x")


@pytest.mark.parametrize(
    "url",
    ["ws://10.0.0.1:7401/v1/stream", "ws://example.com/v1/stream", "ws://0.0.0.0:7401/",
     "ws://localhost.example.com/", "ws://127.0.0.1.example.com/"],
)  # fmt: skip
def test_no_other_machine_is_put_under_load(url: str) -> None:
    with pytest.raises(NotLocal):
        local_target(url)


@pytest.mark.parametrize("url", ["127.0.0.1:7401", "http://127.0.0.1/", "wss://127.0.0.1/", "ws:"])
def test_what_is_no_stream_of_ours_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address like"):
        local_target(url)


def test_connections_come_from_so_many_addresses_that_no_bound_of_one_is_met() -> None:
    target = Target("127.0.0.1", 1, "/")
    sources = [target.source(number) for number in range(10_000)]
    assert max(sources.count(source) for source in set(sources)) <= 1_000
    assert Target("::1", 1, "/").source(3) is None
