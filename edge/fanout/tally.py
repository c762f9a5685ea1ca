"""How many connections an address or a user has on this node, over all of its workers.

Invariant: what a worker had that died counts for nobody. Each worker alone writes a row of counters
in memory that all of them share; its parent, which made the memory, clears the row once the worker
has ended, however it did. Nothing is locked: a row may be a moment old when another reads it, so
workers that let somebody in at the same moment pass a bound by one each at most.

A row has counters and no names: four for a name, chosen by a keyed hash, the least of which is what
the name has, or more if each of the four is another's, too. With a worker as full as it may be that
befalls one name in some hundreds, by one or two. Nobody outside knows the key, so nobody can choose
names that meet a victim's.
"""

import mmap
import os
import secrets
import struct
from hashlib import blake2b

_KEY_BYTES = 16
_COUNTER_BYTES = 4
_CHOICES = struct.Struct("<4I")
#: A connection has two names, so eight counters: one place in four is in use at most.
_PLACES_A_CONNECTION = 32


def make_rows(workers: int, connections: int) -> int:
    """Memory with a row for each worker, all zero, as a descriptor that the workers inherit."""
    places = 1 << (connections * _PLACES_A_CONNECTION - 1).bit_length()
    descriptor = os.memfd_create("outcry-fanout")
    os.ftruncate(descriptor, _KEY_BYTES + workers * places * _COUNTER_BYTES)
    os.pwrite(descriptor, secrets.token_bytes(_KEY_BYTES), 0)
    return descriptor


class Rows:
    """The memory behind that descriptor, of so many workers."""

    def __init__(self, descriptor: int, workers: int) -> None:
        memory = memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size))
        self._key = bytes(memory[:_KEY_BYTES])
        counters = memory[_KEY_BYTES:].cast("I")
        self._places = len(counters) // workers
        starts = range(0, workers * self._places, self._places)
        self.all = [counters[start : start + self._places] for start in starts]

    def places(self, name: str) -> set[int]:
        """Where a name's counters are in each row."""
        digest = blake2b(name.encode(), digest_size=_CHOICES.size, key=self._key).digest()
        return {choice % self._places for choice in _CHOICES.unpack(digest)}

    def clear(self, number: int) -> None:
        """The worker that wrote this row is gone. For its parent alone."""
        row = self.all[number]
        row[:] = memoryview(bytes(len(row) * _COUNTER_BYTES)).cast("I")


class Tally:
    """One worker's hand in the rows; without any it is the node's only process. Its row tells what
    it was `told`, and nothing else."""

    def __init__(self, rows: Rows | None = None, number: int = 0) -> None:
        self._rows = rows
        self._told: dict[str, int] = {}
        if rows is not None:
            self._own = rows.all[number]
            self._others = [row for each, row in enumerate(rows.all) if each != number]

    def of_others(self, name: str) -> int:
        """How many connections of that name the other workers have."""
        if self._rows is None:
            return 0
        places = self._rows.places(name)
        return sum(min(row[place] for place in places) for row in self._others)

    def tell(self, name: str, count: int) -> None:
        """This worker has so many now."""
        if self._rows is None:
            return
        change = count - self._told.get(name, 0)
        if count:
            self._told[name] = count
        else:
            self._told.pop(name, None)
        if change:
            for place in self._rows.places(name):
                self._own[place] += change
