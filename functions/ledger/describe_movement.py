"""A movement of cash in words, as a line of a statement tells it.

Invariant: a line names the shares it is about and the parts of its amount, from the event's own
record; the parts named make the amount.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from functions.shared.bookkeeping.statements import StatementLine
from functions.shared.domain.errors import InvariantViolated
from functions.shared.domain.money import format_amount, format_price
from functions.shared.domain.orders import Product

_Fact = TypeVar("_Fact")

_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "DEPOSITED": "Money added",
    "WITHDRAWAL_REQUESTED": "Money withdrawn",
    "WITHDRAWAL_RETURNED": "Withdrawal returned by the bank",
    "BORROWED": "Shortfall lent",
    "REPAID": "Loan repaid",
    "CONTRACT_NOTE": "Charges brought to the contract note",
}


def describe_movement(line: StatementLine) -> str:
    """One sentence without its full stop. A kind that has no words of its own tells its name."""
    tell = _TELLERS.get(line.kind)
    if tell is not None:
        return tell(line)
    return _DESCRIPTIONS.get(line.kind) or line.kind.replace("_", " ").capitalize()


def _traded(line: StatementLine) -> str:
    fill = _recorded(line, line.movement.fill)
    verb = "Bought" if fill.side == "BUY" else "Sold"
    intraday = " intraday" if fill.product == Product.MIS else ""
    return (
        f"{verb} {fill.quantity} {fill.symbol}{intraday} at {format_price(fill.price)},"
        f" charges {format_amount(fill.charges)}"
    )


def _busted(line: StatementLine) -> str:
    trade = _recorded(line, line.movement.bust)
    verb = "bought" if trade.side == "BUY" else "sold"
    return (
        f"Trade of {trade.quantity} {trade.symbol} {verb} at {format_price(trade.price)} on"
        f" {trade.trade_date} taken back by the exchange, charges returned"
        f" {format_amount(trade.charges)}"
    )


def _delivered(line: StatementLine) -> str:
    symbol = _recorded(line, line.movement.holding).symbol
    lot = _recorded(line, line.movement.lots[0] if line.movement.lots else None)
    return f"{lot.quantity} {symbol} bought intraday on {lot.trade_date}, kept and paid for"


def _short_delivered(line: StatementLine) -> str:
    sale = _recorded(line, line.movement.delivery)
    return f"{sale.quantity} {sale.symbol} held, delivered for the short sale of {sale.trade_date}"


def _short_valued(line: StatementLine) -> str:
    short = _recorded(line, line.movement.shortage)
    return (
        f"{short.quantity} {short.symbol} sold on {short.trade_date} and not delivered, valued at"
        f" {format_price(short.price)} until they are closed out"
    )


def _short_closed_out(line: StatementLine) -> str:
    short = _recorded(line, line.movement.shortage)
    returned = f"valuation returned {format_amount(short.returned)}"
    if not short.quantity:
        return f"{short.symbol} sold on {short.trade_date} and bought back since, {returned}"
    proceeds = line.amount + short.value + short.penalty + short.tax - short.returned
    return (
        f"{short.quantity} {short.symbol} sold on {short.trade_date} and not delivered, closed out"
        f" at {format_price(short.price)}: proceeds {format_amount(proceeds)}, {returned},"
        f" close-out {format_amount(-short.value)}, penalty {format_amount(-short.penalty)},"
        f" GST {format_amount(-short.tax)}"
    )


def _depository_charged(line: StatementLine) -> str:
    charged = _recorded(line, line.movement.depository)
    return (
        f"Depository charge for {charged.symbol} sold on {charged.trade_date},"
        f" {format_amount(charged.charge)} and GST {format_amount(charged.tax)}"
    )


def _squared_off(line: StatementLine) -> str:
    charged = _recorded(line, line.movement.charged)
    return (
        f"Fee for squaring a position off by order {charged.order_id},"
        f" {format_amount(charged.fee)} and GST {format_amount(charged.tax)}"
    )


def _square_off_refunded(line: StatementLine) -> str:
    charged = _recorded(line, line.movement.charged)
    return (
        f"Fee for order {charged.order_id} given back, no trade of it stands:"
        f" {format_amount(charged.fee)} and GST {format_amount(charged.tax)}"
    )


def _dividend_paid(line: StatementLine) -> str:
    paid = _recorded(line, line.movement.dividend)
    return (
        f"Dividend on {paid.quantity} {paid.symbol} at {format_price(paid.per_share)} a share,"
        f" record date {paid.record_date}"
    )


def _recorded(line: StatementLine, fact: _Fact | None) -> _Fact:
    if fact is None:
        raise InvariantViolated(f"event {line.seq} does not say what its {line.kind} was")
    return fact


_TELLERS: Final[Mapping[str, Callable[[StatementLine], str]]] = {
    "FILL": _traded,
    "FILL_BUSTED": _busted,
    "POSITION_DELIVERED": _delivered,
    "SHORT_DELIVERED": _short_delivered,
    "SHORT_VALUED": _short_valued,
    "SHORT_CLOSED_OUT": _short_closed_out,
    "DP_CHARGED": _depository_charged,
    "SQUARE_OFF_CHARGED": _squared_off,
    "SQUARE_OFF_REFUNDED": _square_off_refunded,
    "DIVIDEND_PAID": _dividend_paid,
}
