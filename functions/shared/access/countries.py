"""The country of an address, by the table that the package ip3country ships.

Invariant: an address that no provider hands out (private, loopback, of documentation) is of one
country, LOCAL. The table knows IPv4 alone; what it doesn't know has no country, and having none is
never a country that was seen before.
"""

import functools
import ipaddress
from typing import TYPE_CHECKING, Final

from functions.shared.access.addresses import parse_address

if TYPE_CHECKING:
    from ip3country import CountryLookup

LOCAL: Final = "LOCAL"


def country_of(address: str) -> str | None:
    """ISO 3166's two letters, LOCAL, or None where it isn't known."""
    parsed = parse_address(address)
    if parsed is None:
        return None
    if not parsed.is_global:
        return LOCAL
    if isinstance(parsed, ipaddress.IPv6Address):
        return None
    found: str | None = _table().lookupNumeric(int(parsed))
    return found


@functools.cache
def _table() -> "CountryLookup":
    # A tenth of a second to unpack: nobody pays for it who logs in nobody from afar.
    from ip3country import CountryLookup

    return CountryLookup()
