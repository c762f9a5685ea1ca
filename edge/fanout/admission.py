"""Who may come in: connections of the process, of an address on the whole node, new ones a second.

Invariant: each connection that was let in counts for its process and its address from its start
until its socket is gone, closing included, so that nobody gets past a bound by never closing.

The address is the peer's own: a load balancer of layer 4 keeps it, and no header is believed. An
IPv6 client counts by its /64, of which one household has all (RFC 6177). Openings are let in by a
token bucket that holds one second's worth. Who is refused is told to come back after a time of its
own, so that a storm comes back spread out.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import NamedTuple

from edge.fanout.limits import Limits
from edge.fanout.tally import Tally


class Refusal(NamedTuple):
    """The status that a connection is refused with, why, and when to come back, in seconds."""

    status: HTTPStatus
    reason: str
    retry_after: int

    def response(self) -> bytes:
        """The whole HTTP answer."""
        body = self.reason + "\n"
        return (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Retry-After: {self.retry_after}\r\nConnection: close\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


class Admission:
    """The connections of one process, counted. `now` is in monotonic seconds."""

    def __init__(
        self,
        limits: Limits,
        randint: Callable[[int, int], int] = random.randint,
        tally: Tally | None = None,
    ) -> None:
        self._limits, self._randint = limits, randint
        self._tally = tally or Tally()
        self._by_address: Counter[str] = Counter()
        self._tokens = float(limits.openings_per_second)
        self._filled_at = 0.0
        self.inside = 0
        #: Refusals by their status.
        self.refused: Counter[int] = Counter()

    def enter(self, address: str, now: float) -> Refusal | None:
        """Counts a new connection, or says why it is not let in; then it is not counted."""
        limits = self._limits
        if self.inside >= limits.connections:
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "no room here now")
        there = self._by_address[address] + self._tally.of_others(address)
        if there >= limits.connections_per_address:
            return self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from here")
        if not self._take_token(now):
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many are coming in now")
        self.inside += 1
        self._by_address[address] += 1
        self._tally.tell(address, self._by_address[address])
        return None

    def leave(self, address: str) -> None:
        """A connection that was let in is gone."""
        self.inside -= 1
        self._by_address[address] -= 1
        self._tally.tell(address, self._by_address[address])
        if self._by_address[address] <= 0:
            del self._by_address[address]

    def recount(self, addresses: Iterable[str]) -> int:
        """Counts anew by the addresses of the connections there are; by how many it was wrong."""
        true = Counter(addresses)
        known = {each: self._by_address[each] for each in self._by_address | true}
        wrong = sum(abs(count - true[each]) for each, count in known.items())
        for each in known:
            self._tally.tell(each, true[each])
        self._by_address, self.inside = true, true.total()
        return wrong

    def _take_token(self, now: float) -> bool:
        rate = self._limits.openings_per_second
        self._tokens = min(rate, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refuse(self, status: HTTPStatus, reason: str) -> Refusal:
        self.refused[status] += 1
        return Refusal(status, reason, self._randint(1, self._limits.retry_after_seconds))


def origin_of(host: str) -> str:
    """What connections from a peer's address are counted by."""
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
