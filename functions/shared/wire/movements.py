"""What an event that moved cash says of itself, for the line of a statement.

Invariant: read from the event's stored body alone, whose hash covers it, so that a line says of the
past what was recorded then.
"""

import msgspec

from functions.shared.wire.events import FillFacts


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """Shares not delivered for a sale of `trade_date`. `value`: what they are valued at, or what
    buying them in cost. At the close-out `returned` is the valuation, debited before."""

    symbol: str
    trade_date: str
    quantity: int
    price: int
    value: int
    returned: int = 0
    penalty: int = 0
    tax: int = 0


class ShortSale(msgspec.Struct, frozen=True, kw_only=True):
    """Shares held that were delivered for a short sale, and what it brought in paise."""

    symbol: str
    trade_date: str
    quantity: int
    value: int


class DepositoryCharge(msgspec.Struct, frozen=True, kw_only=True):
    """Of one security and trade date, in paise."""

    symbol: str
    trade_date: str
    charge: int
    tax: int


class Dividend(msgspec.Struct, frozen=True, kw_only=True):
    """`per_share` in ten-thousandths of a rupee."""

    symbol: str
    record_date: str
    quantity: int
    per_share: int


class SquareOffCharge(msgspec.Struct, frozen=True, kw_only=True):
    """The fee for one of the broker's closing orders and the tax on it, in paise."""

    order_id: int
    fee: int
    tax: int


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that became a holding's, or left it."""

    trade_date: str
    quantity: int
    cost: int


class HeldSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """Which holding changed."""

    symbol: str


class PaymentName(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request money in or out was."""

    payment_id: int
    client_id: str


class BustedTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that the venue took back: `price` in ten-thousandths of a rupee, `charges` in paise
    as they were given back."""

    symbol: str
    side: str
    quantity: int
    price: int
    charges: int
    trade_date: str


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """The members of an event's body that explain its cash, each where its kind has it."""

    fill: FillFacts | None = None
    bust: BustedTrade | None = None
    shortage: Shortage | None = None
    delivery: ShortSale | None = None
    depository: DepositoryCharge | None = None
    dividend: Dividend | None = None
    charged: SquareOffCharge | None = None
    lots: tuple[Lot, ...] = ()
    holding: HeldSymbol | None = None
    payment: PaymentName | None = None
    client_id: str | None = None


_decoder = msgspec.json.Decoder(Movement)


def decode_movement(body: str) -> Movement:
    """Raises msgspec.ValidationError for a body that no event has."""
    return _decoder.decode(body)
