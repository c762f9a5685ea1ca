"""The stream for a program: prices and account events as the objects that the API's page shows.

Invariant: an object that carries a `user_seq` is an event of the account, of whatever kind, so that
a kind that is newer than this file leaves no gap.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outcry_client.limits import DEFAULTS, Limits
from outcry_client.protocol import PeerProtocolError, Received, notice
from outcry_client.reconnecting import ReconnectingStream, TokenSource

_NUMBERED = frozenset({"order", "fill", "funds", "holding", "position", "plan", "alert", "event"})


@dataclass(frozen=True, slots=True)
class Price:
    """A `snapshot` or a `quote`. Amounts in `fields` are text: read them with `Decimal`."""

    symbol: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """An `order`, a `fill`, `funds` and the like; those of one `user_seq` came about together."""

    user_seq: int
    kind: str
    fields: Mapping[str, Any]


class StreamClient(ReconnectingStream[Price, AccountEvent]):
    """Follows one account over one or several addresses of the stream."""

    def __init__(
        self,
        addresses: Sequence[str],
        tokens: TokenSource,
        *,
        limits: Limits = DEFAULTS,
        rng: random.Random | None = None,
    ) -> None:
        async def urls() -> Sequence[str]:
            return addresses

        super().__init__(urls, tokens, read, limits=limits, rng=rng)


def read(text: str | bytes) -> Received[Price, AccountEvent]:
    """Sort one message, which holds one object or an array of them.

    Raises PeerProtocolError for anything that is not JSON objects as protocol.md shows them.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PeerProtocolError(str(error)) from error
    quotes, account, notices, reload = [], [], [], False
    for each in body if isinstance(body, list) else [body]:
        if not isinstance(each, dict):
            raise PeerProtocolError(f"not an object: {each!r:.80}")
        kind, symbol, seq = str(each.get("type", "")), each.get("symbol"), each.get("user_seq")
        if kind in {"quote", "snapshot"} and isinstance(symbol, str):
            quotes.append(Price(symbol, each))
        elif kind == "snapshot":
            reload = True
        elif isinstance(seq, int):
            account.append(AccountEvent(seq, kind, each))
        elif kind in _NUMBERED:  # could not be put in order
            raise PeerProtocolError(f"{kind} without user_seq")
        else:
            notices.append(notice(each))
    return Received(quotes, account, reload, notices)
