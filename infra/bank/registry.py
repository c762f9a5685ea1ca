"""The registry of PANs that the bank fronts: whether a name and a PAN are one person's.

Invariant: the answer follows from what is asked alone, so a check asked again, here or after a
restart, ends the same. Nothing of a person is kept: only when a check was first asked.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_SECONDS: Final = 0.5
_KEPT_MOST: Final = 10_000
_PAN: Final = re.compile("[A-Z]{5}[0-9]{4}[A-Z]")
_KIND_OF_HOLDER, _INITIAL, _DIGITS = 3, 4, slice(5, 9)


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Who is asked about. `date_of_birth` as YYYY-MM-DD."""

    name: str
    pan: str
    date_of_birth: str


class Registry:
    """Decides a moment after it was first asked, as real ones do. Safe for many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, reference: str, person: Person) -> dict[str, str]:
        """PENDING, VERIFIED, or REFUSED with its reason."""
        now = self._clock()
        with self._lock:
            first = self._asked.setdefault(reference, now)
            if len(self._asked) > _KEPT_MOST:
                self._asked.pop(next(iter(self._asked)))
        if now < first + _SECONDS:
            return {"reference": reference, "status": "PENDING", "reason": ""}
        reason = refusal_of(person)
        status = "REFUSED" if reason else "VERIFIED"
        return {"reference": reference, "status": status, "reason": reason}


def refusal_of(person: Person) -> str:
    """Why not; empty for a person as the registry has them. Its rules are the department's: the
    fourth letter is P for a person, the fifth begins the surname, the digits are 0001 to 9999."""
    if _PAN.fullmatch(person.pan) is None or person.pan[_DIGITS] == "0000":
        return "PAN_UNKNOWN"
    if person.pan[_KIND_OF_HOLDER] != "P":
        return "PAN_NOT_A_PERSONS"
    if not person.name.split()[-1].upper().startswith(person.pan[_INITIAL]):
        return "NAME_MISMATCH"
    return ""


def read_person(body: object) -> Person:
    """`{"name", "pan", "date_of_birth"}`. Raises ValueError naming what is wrong."""
    wanted = {"name", "pan", "date_of_birth"}
    if not isinstance(body, Mapping) or body.keys() != wanted:
        raise ValueError("give name, pan and date_of_birth")
    if not all(isinstance(text, str) and text.strip() for text in body.values()):
        raise ValueError("name, pan and date_of_birth are text")
    return Person(**body)
