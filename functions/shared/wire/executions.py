"""Execution reports: order gateway -> stream `executions.N` -> the ledger. MessagePack, version 1.

Invariant: a report is the venue's claim, carried with every field the ledger judges it by and the
FIX session position that lets the checkpoint move once it is applied.
"""

from typing import Literal

import msgspec


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """FIX 35=8, or 35=9 with exec_type "9". Prices in ten-thousandths of a rupee.

    `exec_type` is tag 150; `ord_status` tag 39; `request` the number in ClOrdID (0: the order);
    `position` the MsgSeqNum on `session`; `transacted_at` microseconds since 1970;
    `reject_code` tag 103 or 102; `trade_date` YYYY-MM-DD; `order_quantity` tag 38, `price` tag 44.
    A 35=9 names neither instrument nor side nor quantities: there `symbol` and `exec_id` are empty,
    `side` None and the numbers 0; its `user_id` is 0 where the venue left out Account(1).
    """

    v: Literal[1] = 1
    session: str
    position: int
    user_id: int
    order_id: int
    request: int
    exec_id: str
    exec_type: str
    ord_status: str
    venue_order_id: str
    symbol: str
    side: Literal["BUY", "SELL"] | None
    last_quantity: int
    last_price: int
    cumulative_quantity: int
    leaves_quantity: int
    order_quantity: int
    price: int | None
    trade_date: str
    transacted_at: int
    reject_code: int | None = None
    text: str = ""


_decoder = msgspec.msgpack.Decoder(ExecutionReport)
_encoder = msgspec.msgpack.Encoder()


def decode_execution(data: bytes) -> ExecutionReport:
    """Raises msgspec.DecodeError or ValidationError for anything else: a poison record."""
    return _decoder.decode(data)


def encode_execution(report: ExecutionReport) -> bytes:
    return _encoder.encode(report)


def executions_stream(partition: int) -> str:
    """The stream of one partition; a user's reports are all in one (ids.partition_of_user)."""
    return f"executions.{partition}"
