"""Days as contract notes read them, made of as little as a test says."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from functions.ledger.write_notes import write_note
from functions.shared.bookkeeping.contract_notes import DueNote
from functions.shared.domain.contract_note import ContractNote, OrderTraded, Trade, contract_note
from functions.shared.domain.orders import Product, Side
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.wire.contract_notes import NoteDocument
from tests.support.ledger import Trader

#: 10 July 2026, 12:00 in India, in microseconds.
NOON = 1_783_665_000_000_000


def order_traded(
    order_id: int, symbol: str, product: Product, side: Side, quantity: int, value: int
) -> OrderTraded:
    """An order that traded `quantity` shares for `value` paise at once."""
    trade = Trade(f"E{order_id}", NOON + 250_000, quantity, value * 100 // quantity, value)
    return OrderTraded(order_id, f"V{order_id}", NOON, symbol, product, side, (trade,))


def note_document(
    day: date,
    orders: Iterable[OrderTraded],
    user_id: int = 7,
    isins: Mapping[str, str] | None = None,
) -> NoteDocument:
    """The document of a day that settles on the next."""
    note: ContractNote = contract_note(day, orders)
    return NoteDocument(
        user_id=user_id, note=note, settles_on=day + timedelta(days=1),
        settlement_number="2026131", isins=isins or {},
    )  # fmt: skip


def write_note_of(trader: Trader, day: date, now: datetime) -> bool:
    """Books the trader's note of a day, by NSE's hours, as the schedule does."""
    instruments = InstrumentMaster(trader.shards.control)
    return write_note(trader.shards, instruments, DueNote(day, trader.user_id), "nse", now)
