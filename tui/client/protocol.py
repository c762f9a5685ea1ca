"""The stream's messages as the terminal's own types: text in, typed messages out.

Invariant: what can't be read as the contract writes it is an error before it counts as received, so
that it is asked for again on the next connection.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from outcry_client.protocol import Notice, PeerProtocolError, Received, notice
from tui.client.models import (
    Alert,
    Fill,
    Funds,
    Holding,
    Order,
    OtherEvent,
    Plan,
    Position,
    PrivateEvent,
    Quote,
)

_PRIVATE: Mapping[str, type[PrivateEvent]] = {
    "order": Order,
    "fill": Fill,
    "funds": Funds,
    "holding": Holding,
    "position": Position,
    "plan": Plan,
    "alert": Alert,
    "event": OtherEvent,
}


class AccountSnapshot(msgspec.Struct, frozen=True):
    """The answer to a resume beyond what the broker keeps: load the account afresh."""


StreamMessage = Quote | PrivateEvent | Notice | AccountSnapshot


def decode(text: str | bytes) -> list[StreamMessage]:
    """Parse one WebSocket message, which holds one object or an array of them.

    Raises PeerProtocolError for anything that is not JSON objects of the published shapes.
    """
    try:
        body = msgspec.json.decode(text)
        objects: list[dict[str, Any]] = body if isinstance(body, list) else [body]
        return [_typed(each) for each in objects]
    except (msgspec.MsgspecError, AttributeError) as error:
        raise PeerProtocolError(str(error)) from error


def _typed(message: dict[str, Any]) -> StreamMessage:
    kind = message.get("type", "")
    if kind == "quote" or (kind == "snapshot" and "symbol" in message):
        return msgspec.convert(message, Quote)
    if kind in _PRIVATE:
        return _private(kind, message)
    if kind == "snapshot":
        return AccountSnapshot()
    if isinstance(message.get("user_seq"), int):
        # Of a kind that is newer than this terminal: without its number all after it would wait.
        return msgspec.convert(message, OtherEvent)
    return notice(message)


def _private(kind: str, message: dict[str, Any]) -> PrivateEvent:
    """An account event must carry its place in the sequence; without one it could not be ordered.

    A stream object's `type` names the object, so an order's own type stands in `order_type`.
    """
    if not isinstance(message.get("user_seq"), int):
        raise PeerProtocolError(f"{kind} without user_seq")
    if kind == "order":
        message = {**message, "type": message.get("order_type")}
    return msgspec.convert(message, _PRIVATE[kind])


def read(text: str | bytes) -> Received[Quote, PrivateEvent]:
    """`decode`, sorted as the stream's client takes it."""
    messages = decode(text)
    return Received(
        [each for each in messages if isinstance(each, Quote)],
        [each for each in messages if isinstance(each, PrivateEvent)],
        any(isinstance(each, AccountSnapshot) for each in messages),
        [each for each in messages if isinstance(each, Notice)],
    )
