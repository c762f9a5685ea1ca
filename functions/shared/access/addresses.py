"""The caller's address: the connection's own, unless a proxy that we named speaks for another.

Invariant: nothing a client writes is believed. X-Forwarded-For is read from its end, where our own
proxies write, and only for as long as each hop is one of them.
"""

import ipaddress
from collections.abc import Collection, Sequence

from functions.shared.settings import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(variable: str, texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks as a setting lists them. Raises SettingsError with its name."""
    try:
        return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None


def parse_address(text: str) -> Address | None:
    """The address, an IPv4 one also where it comes wrapped in IPv6 (RFC 4291, 2.5.5.2)."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def caller_address(source: str, forwarded: str, proxies: Collection[Network]) -> str:
    """Who calls. `source`: the other end of the connection; `forwarded`: X-Forwarded-For, to which
    each proxy appends the address it was called from."""
    caller = source
    hops = forwarded.split(",")
    while hops and _is_of(caller, proxies):
        hop = parse_address(hops.pop())
        if hop is None:
            break  # a proxy of ours would have written an address
        caller = str(hop)
    return caller


def _is_of(text: str, networks: Collection[Network]) -> bool:
    address = parse_address(text)
    return address is not None and any(
        address.version == each.version and address in each for each in networks
    )
