"""Which order sessions carry orders now: order gateway -> Valkey -> functions. JSON, version 1.

Invariant: a symbol's session follows from the number of sessions alone, so whoever reads the state
knows by which one an order would leave. The key vanishes when the gateway stops writing it.
"""

from typing import Final, Literal

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.wire.commands import session_of_symbol

ROUTES_KEY: Final = "order-routes"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One order session. `hung`: it is up, and what was sent on it is not answered; `since` is when
    it became what it is, microseconds since 1970 by the wall clock."""

    name: str
    up: bool
    since: int
    hung: bool = False

    @property
    def open(self) -> bool:
        """Whether an order that is sent now can be expected to be answered."""
        return self.up and not self.hung


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """All order sessions, in the order of their numbers."""

    v: Literal[1] = 1
    routes: tuple[Route, ...]

    def of_symbol(self, symbol: str) -> Route | None:
        """The session that carries a symbol's orders; None when there is none at all."""
        if not self.routes:
            return None
        return self.routes[session_of_symbol(symbol, len(self.routes))]


_decoder = msgspec.json.Decoder(Routes)
_encoder = msgspec.json.Encoder()


def encode_routes(routes: Routes) -> bytes:
    return _encoder.encode(routes)


def decode_routes(data: bytes) -> Routes:
    """Raises PeerProtocolError for anything else."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(f"not the state of order sessions: {error}") from None
