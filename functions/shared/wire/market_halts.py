"""What was last said of a halt of the market, as JSON: PostgreSQL -> Valkey -> functions.

Invariant: a row of ledger.market_halt, the cached value and the domain's statement have the same
fields; the cache is one copy, and whoever judges by it is judged by PostgreSQL again.
"""

from typing import Final

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.market_halts import MarketHalt

HALT_KEY: Final = "market-halt"

_decoder = msgspec.json.Decoder(MarketHalt)
_encoder = msgspec.json.Encoder()


def encode_halt(halt: MarketHalt) -> bytes:
    return _encoder.encode(halt)


def decode_halt(data: bytes | str) -> MarketHalt:
    """Raises PeerProtocolError for anything else."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"not a halt of the market: {error}") from None
