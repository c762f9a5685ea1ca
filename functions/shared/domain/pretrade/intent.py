"""What a client asks for, one failed rule, and the verdict: the words the rules are written in."""

from dataclasses import asdict, dataclass

from functions.shared.domain.charges import Charges, Rates
from functions.shared.domain.orders import OrderType, Side


@dataclass(frozen=True, slots=True)
class Rule:
    """One failed rule, as a client sees it. Values are text in the unit the message speaks of."""

    code: str
    message: str
    value: str
    limit: str
    nearest: str | None = None
    largest_quantity: int | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What a client asks for. `price` in ten-thousandths of a rupee, None for a market order;
    `disclosed`: shares shown at a time, None for all of them; `trigger_price`: the trade price that
    it waits for, None when it goes at once."""

    side: Side
    type: OrderType
    quantity: int
    price: int | None
    disclosed: int | None = None
    trigger_price: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on public facts, and the numbers that the ledger decides with.

    `limit_price`: what the venue is given; `reserved`: paise the whole quantity needs, charges
    included: its value for a delivery buy, nothing for a delivery sell, its margin for either side
    intraday; `margin_rate` per 10^9; `value` at the limit price; `charges` by head on that value;
    `nearest_price`: the valid price nearest to the one asked for; `largest_quantity`: the most that
    one order at that price may have, whatever the account has.
    """

    rules: tuple[Rule, ...]
    limit_price: int
    value: int
    charges: Charges
    rates: Rates
    margin_rate: int
    reserved: int
    nearest_price: int = 0
    largest_quantity: int = 0
