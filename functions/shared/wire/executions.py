"""Execution reports: order gateway -> stream `executions.N` -> the ledger. MessagePack, version 1.

Invariant: a report is the venue's claim, carried with every field the ledger judges it by and the
FIX session position that lets the checkpoint move once it is applied.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

#: What the ledger's 64-bit columns hold; nothing a venue counts is negative.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
#: Microseconds since 1970, before the year 2100.
Micros = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000_000)]


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """FIX 35=8, or 35=9 with exec_type "9". Prices in ten-thousandths of a rupee.

    `exec_type` is tag 150; `ord_status` tag 39; `request` the number in ClOrdID (0: the order);
    `position` the MsgSeqNum on `session`; `transacted_at` microseconds since 1970;
    `reject_code` tag 103 or 102; `trade_date` YYYY-MM-DD; `order_quantity` tag 38, `price` tag 44.
    `exec_ref` (tag 19) is the trade that a bust (H) or a correction (G) is about, else empty; a
    correction's `last_quantity` and `last_price` are what the trade is now.
    A 35=9 names neither instrument nor side nor quantities: there `symbol` and `exec_id` are empty,
    `side` None and the numbers 0; its `user_id` is 0 where the venue left out Account(1).
    """

    v: Literal[1] = 1
    session: str
    position: Count
    user_id: Count
    order_id: Count
    request: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    exec_id: str
    exec_type: str
    ord_status: str
    venue_order_id: str
    symbol: str
    side: Literal["BUY", "SELL"] | None
    last_quantity: Count
    last_price: Count
    cumulative_quantity: Count
    leaves_quantity: Count
    order_quantity: Count
    price: Count | None
    trade_date: str
    transacted_at: Micros
    reject_code: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    text: str = ""
    exec_ref: str = ""


_decoder = msgspec.msgpack.Decoder(ExecutionReport)
_encoder = msgspec.msgpack.Encoder()


def decode_execution(data: bytes) -> ExecutionReport:
    """Raises msgspec.DecodeError or ValidationError for anything else: a poison record."""
    report = _decoder.decode(data)
    try:
        date.fromisoformat(report.trade_date)
    except ValueError as error:
        raise msgspec.ValidationError(f"trade_date: {error}") from None
    if "\0" in report.ord_status or "\0" in report.text:
        raise msgspec.ValidationError("a text with a NUL, which PostgreSQL can't store")
    return report


def encode_execution(report: ExecutionReport) -> bytes:
    return _encoder.encode(report)


def executions_stream(partition: int) -> str:
    """The stream of one partition; a user's reports are all in one (ids.partition_of_user)."""
    return f"executions.{partition}"
