"""The body of an order, as `POST /v1/orders` and its preview read it.

Invariant: a body that parses is an order that makes sense by itself: a limit order has a price, a
market order has none. What it may do is judged afterwards.
"""

from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from functions.shared.bookkeeping.checking import OrderRequest
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.runtime.fields import Integer, Price, Request, example, price_to

#: Well above any real order; the value of the two together still fits the ledger's 64 bits.
QUANTITY_MAX = 10**9
PRICE_MAX = 10**7 * 10_000

ORDER_EXAMPLE: Final[JsonDict] = {
    "symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 10, "price": "1500.00",
}  # fmt: skip

Quantity = Annotated[Integer, Field(gt=0, le=QUANTITY_MAX)]
OrderPrice = Annotated[Price, price_to(PRICE_MAX)]
Symbol = Annotated[str, Field(min_length=1, max_length=40)]


class OrderBody(Request):
    """What to trade. `price` in rupees, needed for a limit order and refused for a market one."""

    model_config = example({**ORDER_EXAMPLE})

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Quantity
    price: Annotated[OrderPrice | None, Field(validate_default=True)] = None
    product: Product = Product.CNC
    validity: Validity = Validity.DAY

    @field_validator("price")
    @classmethod
    def _fits_type(cls, price: int | None, body: ValidationInfo) -> int | None:
        kind = body.data.get("type")  # not there when it was refused itself
        if kind is OrderType.LIMIT and price is None:
            raise ValueError("a LIMIT order needs one")
        if kind is OrderType.MARKET and price is not None:
            raise ValueError("a MARKET order has none")
        return price

    def order_request(self) -> OrderRequest:
        intent = OrderIntent(self.side, self.type, self.quantity, self.price)
        return OrderRequest(self.symbol, intent, self.product, self.validity)
