"""A contract note as it is kept and as a client reads it.

Invariant: the document holds integers and is kept as the very bytes that were booked (their sha256
is in the account's hash chain); JSON and PDF are rendered from it and can't say different things.
It names the account by its number and nothing of the person.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final, Literal

import msgspec

from functions.shared.domain.charges import HEADS
from functions.shared.domain.contract_note import (
    ContractNote,
    OrderTraded,
    SecurityDay,
    Trade,
    brokerage_by_trade,
)
from functions.shared.domain.money import (
    PRICE_UNITS_PER_PAISA,
    divide_half_up,
    format_amount,
    format_decimal,
    format_price,
)
from functions.shared.domain.orders import Side
from functions.shared.wire.events import format_time

#: An answer lists so many orders and so many trades at most; the note's totals are of all of them,
#: the document has them all, and an order's own answer has its fills.
ORDERS_LISTED_MAX: Final = 1_000
TRADES_LISTED_MAX: Final = 1_000

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
    """What is kept: whose the note is, the note, when and under which number it settles, and the
    ISIN of each security that has one, as they were when it was written."""

    v: Literal[1] = 1
    user_id: int
    note: ContractNote
    settles_on: date
    settlement_number: str | None
    isins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A kept version: `body` is the document's text, `seq` the event that booked it, `at` in
    microseconds since 1970."""

    version: int
    body: str
    seq: int
    at: int


def encode_note(document: NoteDocument) -> str:
    """The document's text. The same note gives the same bytes."""
    return msgspec.json.encode(document, order="deterministic").decode()


_decoder = msgspec.json.Decoder(NoteDocument)


def decode_note(body: str) -> NoteDocument:
    """Raises msgspec.MsgspecError for what is no document of this kind."""
    return _decoder.decode(body)


def note_number(document: NoteDocument, version: int) -> str:
    """What the note is called: the trade date, the account and the version."""
    return f"{document.note.trade_date:%Y%m%d}-{document.user_id}-{version}"


def render_note(written: WrittenNote) -> dict[str, object]:
    """The whole note as a client reads it. `obligation`: what its trades move before any charge,
    below zero into the exchange."""
    document = decode_note(written.body)
    note = document.note
    return {
        **render_summary(written),
        "account": str(document.user_id),
        "buy_value": format_amount(note.buy_value),
        "sell_value": format_amount(note.sell_value),
        "obligation": format_amount(note.sell_value - note.buy_value),
        "charges": render_charges(note),
        "securities": [_security(line, document.isins) for line in note.securities],
        "orders": [
            _order(order, brokerage)
            for order, brokerage in islice(_orders_of(note), ORDERS_LISTED_MAX)
        ],
        "orders_total": len(note.orders),
        "trades": list(islice(_trades(document), TRADES_LISTED_MAX)),
        "trades_total": sum(len(order.trades) for order in note.orders),
    }


def render_summary(written: WrittenNote) -> dict[str, object]:
    """The note in a list of notes."""
    document = decode_note(written.body)
    note = document.note
    return {
        "trade_date": note.trade_date.isoformat(),
        "settles_on": document.settles_on.isoformat(),
        "settlement_number": document.settlement_number,
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


def _orders_of(note: ContractNote) -> Iterator[tuple[OrderTraded, int]]:
    return zip(note.orders, note.brokerages, strict=True)


def _security(line: SecurityDay, isins: Mapping[str, str]) -> dict[str, object]:
    return {
        "symbol": line.symbol,
        "isin": isins.get(line.symbol),
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


def _order(order: OrderTraded, brokerage: int) -> dict[str, object]:
    return {
        "order_id": str(order.order_id),
        "venue_order_id": order.venue_order_id,
        "ordered_at": format_time(order.placed_at),
        "symbol": order.symbol,
        "product": order.product.value,
        "side": order.side.value,
        "quantity": order.quantity,
        "average_price": average_price(order.value, order.quantity),
        "value": format_amount(order.value),
        "brokerage": format_amount(brokerage),
    }


def _trades(document: NoteDocument) -> Iterator[dict[str, object]]:
    """Every trade of the day, order by order."""
    for order, brokerage in _orders_of(document.note):
        shares = brokerage_by_trade(order, brokerage)
        for trade, share in zip(order.trades, shares, strict=True):
            yield _trade(order, trade, share, document.isins.get(order.symbol))


def _trade(order: OrderTraded, trade: Trade, brokerage: int, isin: str | None) -> dict[str, object]:
    """`net_price` is what a share cost or brought with its brokerage, `net_total` what the trade
    moved, before all other charges: below zero is paid by the client."""
    sign = -1 if order.side is Side.BUY else 1
    per_unit = divide_half_up(brokerage * PRICE_UNITS_PER_PAISA, trade.quantity)
    return {
        "order_id": str(order.order_id),
        "venue_order_id": order.venue_order_id,
        "ordered_at": format_time(order.placed_at),
        "exec_id": trade.exec_id,
        "time": format_time(trade.at),
        "symbol": order.symbol,
        "isin": isin,
        "side": order.side.value,
        "quantity": trade.quantity,
        "price": format_price(trade.price),
        "brokerage_per_unit": format_decimal(per_unit, 4),
        "net_price": format_decimal(trade.price - sign * per_unit, 4),
        "net_total": format_amount(sign * trade.value - brokerage),
    }
