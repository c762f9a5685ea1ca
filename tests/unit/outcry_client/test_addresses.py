import random

import pytest

from outcry_client.addresses import Addresses
from outcry_client.limits import DEFAULTS, backoff

URLS = ["ws://a", "ws://b", "ws://c"]


def test_a_fleet_starts_spread_over_all_addresses() -> None:
    chosen = {Addresses(random.Random(seed)).choose(URLS, 0.0) for seed in range(50)}
    assert chosen == {(url, 0.0) for url in URLS}


def test_the_address_that_was_lost_last_is_tried_last() -> None:
    addresses, tried = Addresses(random.Random(1)), []
    for now in range(6):
        url, wait = addresses.choose(URLS, float(now))
        assert wait == 0
        addresses.lost(url, float(now))
        tried.append(url)
    assert sorted(tried[:3]) == URLS
    assert tried[3:] == tried[:3]


def test_one_that_said_when_to_come_back_is_asked_only_when_no_other_is_free() -> None:
    addresses = Addresses(random.Random(1))
    addresses.lost("ws://a", 9.0)
    addresses.refused("ws://b", 14.0)
    addresses.refused("ws://c", 12.0)
    assert addresses.choose(URLS, 10.0) == ("ws://a", 0.0)
    assert addresses.choose(["ws://b", "ws://c"], 10.0) == ("ws://c", 2.0)
    assert addresses.choose(["ws://b"], 14.0) == ("ws://b", 0.0)


def test_what_is_not_an_address_any_more_is_forgotten() -> None:
    addresses = Addresses(random.Random(1))
    addresses.refused("ws://a", 99.0)
    addresses.choose(["ws://b"], 1.0)
    assert addresses.choose(["ws://a"], 1.0) == ("ws://a", 0.0)
    with pytest.raises(ValueError, match="no address"):
        addresses.choose([], 1.0)


def test_retries_are_spread_from_the_first_one() -> None:
    rng = random.Random(3)
    first = [backoff(0, rng) for _ in range(200)]

    assert min(first) < 0.2 * DEFAULTS.pause_seconds
    assert max(first) > 0.8 * DEFAULTS.pause_seconds
    assert max(backoff(40, rng) for _ in range(200)) <= DEFAULTS.pause_most_seconds
