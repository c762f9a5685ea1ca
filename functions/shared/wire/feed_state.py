"""Whether the prices are those of the market now: ingest -> Valkey -> fanout, functions. JSON.

Invariant: it is told again each PULSE_SECONDS by the one ingest that holds the feed, and its key
lives for LIFE_MS: who hears or finds nothing knows that nobody vouches for any price.
"""

from typing import Annotated, Final, Literal

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.quotes import PARTITIONS, partition_of_symbol

#: Of what is no partition's; a script that writes a key tells the channel of its slot.
FEED_TAG: Final = "{feed}"
FEED_KEY: Final = f"feed:{FEED_TAG}"
FEED_CHANNEL: Final = f"feed:{FEED_TAG}"
PULSE_SECONDS: Final = 0.25
LIFE_MS: Final = 1_500

_Partition = Annotated[int, msgspec.Meta(ge=0, lt=PARTITIONS)]


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """`fence` is that of the ingest's lease; `stale` the partitions whose prices stand still, `at`
    wall-clock microseconds since 1970."""

    v: Literal[1] = 1
    fence: int
    stale: frozenset[_Partition] = frozenset()
    at: int

    def is_stale(self, symbol: str) -> bool:
        return partition_of_symbol(symbol) in self.stale


_decoder = msgspec.json.Decoder(FeedState)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode_feed_state(state: FeedState) -> bytes:
    """One pulse."""
    return _encoder.encode(state)


def decode_feed_state(payload: bytes | str) -> FeedState:
    """Raises PeerProtocolError for anything but a version 1 pulse."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"the feed's state: {error}") from error
