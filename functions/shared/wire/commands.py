"""Order commands: outbox -> relay -> stream `orders.N` -> order gateway. JSON, version 1.

Invariant: a command is written by the database in the transaction that decided it, and travels
unchanged; ClOrdID is derived from it, so sending it again can't make a second order.
"""

import zlib
from datetime import date
from typing import Literal

import msgspec


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="new"):
    """Becomes FIX 35=D, on its trade date alone. `price` in ten-thousandths of a rupee; None for a
    market order; `disclosed`: shares shown at a time, None for all of them."""

    v: Literal[1] = 1
    order_id: int
    user_id: int
    symbol: str
    side: Literal["BUY", "SELL"]
    type: Literal["MARKET", "LIMIT"]
    validity: Literal["DAY", "IOC"]
    quantity: int
    price: int | None
    trade_date: date
    disclosed: int | None = None


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="cancel"):
    """Becomes FIX 35=F. `request` numbers this order's cancels and replaces from 1;
    `original` is the number of the last accepted one (0: the order itself)."""

    v: Literal[1] = 1
    order_id: int
    user_id: int
    symbol: str
    side: Literal["BUY", "SELL"]
    quantity: int
    request: int
    original: int


class ReplaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="replace"):
    """Becomes FIX 35=G: total quantity (not what is left) and the new price."""

    v: Literal[1] = 1
    order_id: int
    user_id: int
    symbol: str
    side: Literal["BUY", "SELL"]
    type: Literal["MARKET", "LIMIT"]
    validity: Literal["DAY", "IOC"]
    quantity: int
    price: int | None
    request: int
    original: int
    disclosed: int | None = None


OrderCommand = NewOrder | CancelOrder | ReplaceOrder

_decoder: msgspec.json.Decoder[OrderCommand] = msgspec.json.Decoder(OrderCommand)
_encoder = msgspec.json.Encoder()


def decode_command(data: bytes | str) -> OrderCommand:
    """Raises msgspec.ValidationError for anything that isn't a version 1 command."""
    return _decoder.decode(data)


def encode_command(command: OrderCommand) -> bytes:
    return _encoder.encode(command)


def client_order_tag(order_id: int, request: int) -> str:
    """FIX ClOrdID (11): the order number, with the request's number behind a dash if it has one."""
    return str(order_id) if request == 0 else f"{order_id}-{request}"


def parse_client_order_tag(text: str) -> tuple[int, int]:
    """(order_id, request) of a ClOrdID of ours. Raises ValueError for anything else."""
    order, dash, request = text.partition("-")
    if not text.isascii() or not order.isdecimal() or (dash and not request.isdecimal()):
        raise ValueError(f"{text!r} is not a ClOrdID of ours")
    return int(order), int(request) if dash else 0


def session_of_symbol(symbol: str, sessions: int) -> int:
    """The order session (0-based) of a symbol: one symbol keeps its order on one session."""
    return zlib.crc32(symbol.encode()) % sessions


def orders_stream(session: int) -> str:
    """The stream an order session reads."""
    return f"orders.{session}"
