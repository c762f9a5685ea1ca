"""Changes of the instrument master: shard 0 -> relay -> stream `listings` -> whoever keeps a copy.
JSON, version 1.

Invariant: a message says that an instrument changed, not what it is now: whoever needs that reads
the master, so that messages may come twice and in any order.
"""

from typing import Annotated, Literal

import msgspec

from functions.shared.domain.errors import PeerProtocolError

#: One partition: listings are few, and its one reader writes one index.
LISTINGS_STREAM = "listings.0"

ListingKind = Literal["NEW_LISTING", "CHANGED", "DELISTED"]


class ListingChange(msgspec.Struct, frozen=True, kw_only=True):
    """`version`: that of the instrument's state after the change, rising over all of them."""

    v: Literal[1] = 1
    kind: ListingKind
    token: Annotated[int, msgspec.Meta(ge=0)]
    symbol: str
    version: Annotated[int, msgspec.Meta(ge=0)]


_decoder = msgspec.json.Decoder(ListingChange)
_encoder = msgspec.json.Encoder()


def encode_listing_change(change: ListingChange) -> bytes:
    return _encoder.encode(change)


def decode_listing_change(data: bytes) -> ListingChange:
    """Raises PeerProtocolError for anything but a version 1 change."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"a change of the instruments: {error}") from error
