"""The state of the order sessions in Valkey, as the order gateway tells it.

Invariant: what the key says is at most KEPT_MS old. Absent means that nobody vouches for a session,
and is read as down.
"""

from typing import Final

from functions.shared.stores.valkey import Valkey, answering
from functions.shared.wire.order_routes import ROUTES_KEY, Routes, encode_routes

#: As long as a standby has to take a dead gateway's sessions over: an order that is accepted in
#: that time waits in its stream for no longer than that.
KEPT_MS: Final = 5_000


def write_routes(valkey: Valkey, routes: Routes) -> None:
    """Tells the state. Raises Retryable when Valkey is away."""
    with answering():
        valkey.set(ROUTES_KEY, encode_routes(routes), px=KEPT_MS)
