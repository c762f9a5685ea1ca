"""Where a load goes: a stream on this machine, and nowhere else.

Invariant: no connection is opened to an address that isn't loopback, because ten thousand of them
are an attack on whoever did not ask for them. There is no way around it.
"""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

#: A node lets a thousand connections in from one address, and one has ports for some 28,000.
_ADDRESSES = 40


class NotLocal(Exception):
    """The address is not one of this machine's own."""


class Target(NamedTuple):
    host: str
    port: int
    path: str

    def source(self, number: int) -> tuple[str, int] | None:
        """The address that a connection comes from; None to leave it to the system."""
        if ":" in self.host:  # IPv6 has one loopback address alone
            return None
        return (f"127.0.0.{2 + number % _ADDRESSES}", 0)


def local_target(url: str) -> Target:
    """The parts of a `ws:` address. Raises NotLocal, and ValueError for what is no such address."""
    parts = urlsplit(url)
    if parts.scheme != "ws" or not parts.hostname:
        raise ValueError(f"{url!r} is not an address like ws://127.0.0.1:7401/v1/stream")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLocal(f"{host} is not this machine: a load goes to a loopback address only")
    return Target(host, parts.port or 80, parts.path or "/")
