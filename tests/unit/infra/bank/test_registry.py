"""The registry of PANs: what it goes by, and that it takes its moment."""

import pytest

from infra.bank.registry import Person, Registry, read_person


def person(name: str = "Asha Kulkarni", pan: str = "ABCPK1234F") -> Person:
    return Person(name, pan, "1990-04-01")


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (person(), ""),
        (person("Kulkarni"), ""),
        (person(pan="ABCPR1234F"), "NAME_MISMATCH"),
        (person(pan="ABCCK1234F"), "PAN_NOT_A_PERSONS"),
        (person(pan="ABCPK0000F"), "PAN_UNKNOWN"),
        (person(pan="abcpk1234f"), "PAN_UNKNOWN"),
    ],
)
def test_it_decides_a_moment_after_it_was_first_asked(who: Person, reason: str) -> None:
    times = iter([0.0, 0.4, 0.5])
    registry = Registry(lambda: next(times))
    said = [registry.check("7-1", who) for _ in range(3)]
    pending = {"reference": "7-1", "status": "PENDING", "reason": ""}
    status = "REFUSED" if reason else "VERIFIED"
    assert said == [pending, pending, {"reference": "7-1", "status": status, "reason": reason}]


def test_it_forgets_the_longest_asked_beyond_its_limit() -> None:
    registry = Registry(lambda: 0.0)
    for number in range(10_001):
        registry.check(str(number), person())
    assert "Asha" not in repr(registry.__dict__)
    assert len(registry._asked) == 10_000


@pytest.mark.parametrize("body", [None, [], {}, {"name": "A", "pan": "P", "date_of_birth": 1},
                                  {"name": " ", "pan": "P", "date_of_birth": "D"}])  # fmt: skip
def test_a_question_that_is_none_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="date_of_birth"):
        read_person(body)
