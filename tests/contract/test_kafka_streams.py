"""What Kafka's streams promise beyond every bus: brokers that say nothing hold up nobody."""

import signal
import uuid
from collections.abc import Callable

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Limits, Record, open_streams
from tests.support.buses import ON_ONE_WORKER, Worker
from tests.support.eventually import wait_until
from tests.support.kafka import KafkaBroker, OwnKafka

pytestmark = ON_ONE_WORKER


@pytest.fixture
def own(kafka: KafkaBroker) -> OwnKafka:
    if not isinstance(kafka, OwnKafka):
        pytest.skip("the broker at KAFKA_URL is not ours to stop")
    return kafka


@pytest.mark.parametrize("member", ["", "me"], ids=["alone", "in a shared group"])
def test_a_commit_that_is_not_answered_ends_in_time_and_the_group_goes_on_behind_it(
    own: OwnKafka, member: str
) -> None:
    url = own.url(f"c{uuid.uuid4().hex[:8]}")
    limits = Limits(append_seconds=1.0, takeover_seconds=own.takeover_seconds)
    streams, names = open_streams(url, limits), ["executions.0", "executions.1"]
    for name in names:
        open_streams(url).append(name, [Record("1", b"%d" % n) for n in range(3)])

    def read() -> bool:
        mine = streams.divide(names, "g", member) if member else frozenset(names)
        for name, records in streams.read(sorted(mine), "g", member, 100, 50):
            given[name] = [record.id for record in records]
        return given.keys() == set(names)

    given: dict[str, list[str]] = {}
    wait_until(lambda: _answered(read))
    own.send(signal.SIGSTOP)
    try:
        with pytest.raises(Retryable, match="no answer to a commit"):
            streams.acknowledge(names[0], "g", given[names[0]])
        with pytest.raises(Retryable):
            streams.acknowledge(names[1], "g", given[names[1]])
    finally:
        own.send(signal.SIGCONT)
    worker = Worker(streams, "g", {name: [] for name in names}, member)

    for name in names:
        open_streams(url).append(name, [Record("1", b"3")])

    def caught_up() -> bool:
        (worker.turn if member else worker.read)()
        return all(b"3" in {d.data for d in done} for done in worker.done.values())

    wait_until(lambda: _answered(caught_up))
    assert {d.data for d in worker.done[names[1]]} == {b"0", b"1", b"2", b"3"}


def _answered(ask: Callable[[], bool]) -> bool:
    """As a consumer asks: what is worth another try is tried again."""
    try:
        return ask()
    except Retryable:
        return False
