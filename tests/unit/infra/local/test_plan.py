"""What the plan of a stack refuses, and what a bus of the user's own leaves out of it."""

from pathlib import Path

import pytest

from infra.local.home import Home, StoreAddresses
from infra.local.options import Options
from infra.local.plan import OwnServers, make_plan
from infra.local.refusals import StartRefused


def prepare(_: StoreAddresses) -> None:
    """The databases are nobody's here."""


def test_streams_that_can_not_be_served_stop_the_start_in_words(tmp_path: Path) -> None:
    own = OwnServers(streams_url="amqp://host/outcry")
    with pytest.raises(StartRefused, match="OUTCRY_STREAMS_URL is redis://"):
        make_plan(Home(tmp_path), Options(), own, prepare)


def test_a_bus_of_the_users_own_is_told_to_who_needs_it_and_not_started(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    options = Options(api_port=0, stream_port=0)
    plan = make_plan(home, options, OwnServers(streams_url="redis://there:1/0"), prepare)
    assert "streams" not in {part.name for part in plan.parts}
    told = {part.name for part in plan.parts if "OUTCRY_STREAMS_URL" in part.environment}
    assert told == {"gateway", "relay", "triggers", "ledger", "surveillance"}
    (worker,) = [part for part in plan.parts if part.name == "ledger"]
    assert worker.environment["OUTCRY_INSTANCE"] == "ledger"
