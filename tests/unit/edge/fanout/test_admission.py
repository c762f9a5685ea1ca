"""Who is let in: bounds of the process and of an address, and a bucket of openings."""

from collections import Counter
from http import HTTPStatus

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.fanout.admission import Admission, Refusal, origin_of
from edge.fanout.limits import Limits

ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::/64"]


def statuses(admission: Admission, count: int, now: float) -> list[int]:
    """What so many arrivals at one time are answered; 101 for those who are let in."""
    refusals = [admission.enter(f"192.0.2.{n}", now) for n in range(count)]
    return [101 if each is None else each.status.value for each in refusals]


def test_a_second_lets_in_its_number_and_the_next_as_many_again() -> None:
    admission = Admission(Limits(openings_per_second=10))
    assert statuses(admission, 12, 100.0) == [101] * 10 + [503] * 2
    assert statuses(admission, 3, 100.125) == [101] + [503] * 2
    assert statuses(admission, 12, 200.0) == [101] * 10 + [503] * 2


def test_who_is_refused_takes_no_room_and_no_opening() -> None:
    admission = Admission(Limits(connections=1, openings_per_second=2))
    assert statuses(admission, 3, 1.0) == [101, 503, 503]
    admission.leave("192.0.2.0")
    assert statuses(admission, 1, 1.0) == [101]


def test_a_refusal_names_a_time_of_its_own() -> None:
    admission = Admission(Limits(connections=1, retry_after_seconds=10))
    admission.enter("192.0.2.1", 1.0)
    refusals = [admission.enter("192.0.2.1", 1.0) for _ in range(500)]
    assert {each.retry_after for each in refusals if each} == set(range(1, 11))
    assert Refusal(HTTPStatus.TOO_MANY_REQUESTS, "no", 3).response() == (
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nConnection: close\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n"
    )


def test_one_household_of_ipv6_counts_as_one_address() -> None:
    assert origin_of("192.0.2.1") == "192.0.2.1"
    assert origin_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert origin_of("2001:db8::1") == origin_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert origin_of("2001:db8:0:1::1") != origin_of("2001:db8::1")
    assert origin_of("fe80::1%eth0") == "fe80::/64"


class Doorkeeping(RuleBasedStateMachine):
    """Connections come and go against a plain list of those inside."""

    def __init__(self) -> None:
        super().__init__()
        limits = Limits(connections=6, connections_per_address=3, openings_per_second=1_000)
        self.admission, self.inside, self.now = Admission(limits), list[str](), 0.0

    @rule(address=st.sampled_from(ADDRESSES))
    def come(self, address: str) -> None:
        self.now += 1.0
        refusal = self.admission.enter(address, self.now)
        if len(self.inside) == 6:
            assert refusal is not None
            assert refusal.status == 503
        elif self.inside.count(address) == 3:
            assert refusal is not None
            assert refusal.status == 429
        else:
            assert refusal is None
            self.inside.append(address)

    @rule(pick=st.integers(0, 5))
    def go(self, pick: int) -> None:
        if pick < len(self.inside):
            self.admission.leave(self.inside.pop(pick))

    @rule(pick=st.integers(0, 5))
    def go_unnoticed(self, pick: int) -> None:
        """A mistake of ours: it is found once, and put right."""
        lost = self.inside[pick : pick + 1]
        del self.inside[pick : pick + 1]
        assert self.admission.recount(self.inside) == len(lost)

    @invariant()
    def it_counts_right(self) -> None:
        assert self.admission.inside == len(self.inside)
        assert self.admission.recount(self.inside) == 0
        assert self.admission._by_address == Counter(self.inside)


TestDoorkeeping = Doorkeeping.TestCase
TestDoorkeeping.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
