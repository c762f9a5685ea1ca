"""A contract note as it is kept and as a client reads it.

Invariant: the document holds integers and is kept as the very bytes that were booked (their sha256
is in the account's hash chain); JSON and PDF are rendered from it and can't say different things.
It names the account by its number and nothing of the person.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from functions.shared.domain.charges import HEADS
from functions.shared.domain.contract_note import ContractNote, OrderTraded, SecurityDay
from functions.shared.domain.money import (
    PRICE_UNITS_PER_PAISA,
    divide_half_up,
    format_amount,
    format_decimal,
)
from functions.shared.wire.events import format_time

#: An answer lists so many orders at most; the note's totals are of all of them.
ORDERS_LISTED_MAX: Final = 1_000

#: The heads as people know them.
HEAD_NAMES: Final = {
    "brokerage": "Brokerage",
    "stt": "Securities transaction tax",
    "exchange": "Exchange transaction charges",
    "ipft": "Investor protection fund",
    "sebi": "SEBI turnover fee",
    "stamp": "Stamp duty",
    "gst": "GST at 18 %",
}


class NoteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept: the note and whose it is."""

    v: Literal[1] = 1
    user_id: int
    note: ContractNote


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A kept version: `body` is the document's text, `seq` the event that booked it, `at` in
    microseconds since 1970."""

    version: int
    body: str
    seq: int
    at: int


def encode_note(user_id: int, note: ContractNote) -> str:
    """The document's text. The same note gives the same bytes."""
    return msgspec.json.encode(NoteDocument(user_id=user_id, note=note)).decode()


_decoder = msgspec.json.Decoder(NoteDocument)


def decode_note(body: str) -> NoteDocument:
    """Raises msgspec.MsgspecError for what is no document of this kind."""
    return _decoder.decode(body)


def note_number(document: NoteDocument, version: int) -> str:
    """What the note is called: the trade date, the account and the version."""
    return f"{document.note.trade_date:%Y%m%d}-{document.user_id}-{version}"


def render_note(written: WrittenNote) -> dict[str, object]:
    """The whole note as a client reads it."""
    document = decode_note(written.body)
    note = document.note
    return {
        **render_summary(written),
        "account": str(document.user_id),
        "buy_value": format_amount(note.buy_value),
        "sell_value": format_amount(note.sell_value),
        "charges": render_charges(note),
        "securities": [_security(line) for line in note.securities],
        "orders": [_order(order) for order in note.orders[:ORDERS_LISTED_MAX]],
        "orders_total": len(note.orders),
    }


def render_summary(written: WrittenNote) -> dict[str, object]:
    """The note in a list of notes."""
    document = decode_note(written.body)
    note = document.note
    return {
        "trade_date": note.trade_date.isoformat(),
        "version": written.version,
        "number": note_number(document, written.version),
        "charges_total": format_amount(sum(note.charges)),
        "net_amount": format_amount(note.net_amount),
        "currency": "INR",
        "seq": written.seq,
        "written_at": format_time(written.at),
    }


def render_charges(note: ContractNote) -> dict[str, str]:
    """Every head in rupees, and their total."""
    heads = zip(HEADS, note.charges, strict=True)
    return {
        **{head: format_amount(paise) for head, paise in heads},
        "total": format_amount(sum(note.charges)),
    }


def average_price(value: int, quantity: int) -> str:
    """Rupees with 4 decimals, of paise and shares."""
    return format_decimal(divide_half_up(value * PRICE_UNITS_PER_PAISA, quantity), 4)


def _security(line: SecurityDay) -> dict[str, object]:
    return {
        "symbol": line.symbol,
        "bought": line.bought,
        "buy_value": format_amount(line.buy_value),
        "buy_average": None if line.buy_average is None else format_decimal(line.buy_average, 4),
        "sold": line.sold,
        "sell_value": format_amount(line.sell_value),
        "sell_average": None if line.sell_average is None else format_decimal(line.sell_average, 4),
        "squared_off": line.squared_off,
        "delivered": line.delivered,
        "stt": format_amount(line.stt),
    }


def _order(order: OrderTraded) -> dict[str, object]:
    return {
        "order_id": str(order.order_id),
        "symbol": order.symbol,
        "product": order.product.value,
        "side": order.side.value,
        "quantity": order.quantity,
        "average_price": average_price(order.value, order.quantity),
        "value": format_amount(order.value),
    }
