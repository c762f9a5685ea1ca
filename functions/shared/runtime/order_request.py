"""The body of an order, as `POST /v1/orders` and its preview read it.

Invariant: a body that parses is an order that makes sense by itself: a limit order has a price, a
market order has none, a stop has a trigger. What it may do is judged afterwards.
"""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from functions.shared.bookkeeping.checking import OrderRequest
from functions.shared.domain.errors import Refused
from functions.shared.domain.orders import (
    PRICED,
    STOPS,
    OrderType,
    Product,
    Side,
    Validity,
    Variety,
)
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.waiting import LIFE_MINUTES_MAX
from functions.shared.runtime.fields import Integer, Price, Request, example, price_to

#: Well above any real order; the value of the two together still fits the ledger's 64 bits.
QUANTITY_MAX = 10**9
#: Orders in one basket.
BASKET_MAX = 20
PRICE_MAX = 10**7 * 10_000

ORDER_EXAMPLE: Final[JsonDict] = {
    "symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 10, "price": "1500.00",
}  # fmt: skip

Quantity = Annotated[Integer, Field(gt=0, le=QUANTITY_MAX)]
OrderPrice = Annotated[Price, price_to(PRICE_MAX)]
LifeMinutes = Annotated[Integer, Field(gt=0, le=LIFE_MINUTES_MAX)]
#: What a client may expect, and has no margin rules here.
PRODUCTS_ELSEWHERE = frozenset({"MTF"})


def _offered(product: object) -> object:
    if isinstance(product, str) and product in PRODUCTS_ELSEWHERE:
        valid = [each.value for each in Product]
        raise Refused(
            422, "PRODUCT_NOT_OFFERED", f"{product} is not offered; one of {', '.join(valid)}",
            valid=valid,
        )  # fmt: skip
    return product


OfferedProduct = Annotated[Product, BeforeValidator(_offered)]
Symbol = Annotated[str, Field(min_length=1, max_length=40)]


class OrderBody(Request):
    """What to trade. `disclosed_quantity`: shares shown at a time. `price` in rupees, needed for a
    limit and refused for an order at the market; `trigger_price` the trade price that a STOP,
    STOP_LIMIT or GTT waits for; `validity_minutes` the life of a TTL order; `variety` AMO waits for
    the next session's opening."""

    model_config = example({**ORDER_EXAMPLE})

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Quantity
    disclosed_quantity: Quantity | None = None
    price: Annotated[OrderPrice | None, Field(validate_default=True)] = None
    product: OfferedProduct = Product.CNC
    validity: Validity = Validity.DAY
    trigger_price: Annotated[OrderPrice | None, Field(validate_default=True)] = None
    validity_minutes: Annotated[LifeMinutes | None, Field(validate_default=True)] = None
    variety: Variety = Variety.REGULAR

    @field_validator("price")
    @classmethod
    def _fits_type(cls, price: int | None, body: ValidationInfo) -> int | None:
        kind = body.data.get("type")  # not there when it was refused itself
        if kind in PRICED and price is None:
            raise ValueError(f"a {kind} order needs one")
        if kind is not None and kind not in PRICED and price is not None:
            raise ValueError(f"a {kind} order has none")
        return price

    @field_validator("trigger_price")
    @classmethod
    def _is_a_stops(cls, trigger: int | None, body: ValidationInfo) -> int | None:
        kind = body.data.get("type")
        if (kind in STOPS or body.data.get("validity") is Validity.GTT) and trigger is None:
            raise ValueError(f"a {kind} order needs one")
        if body.data.get("validity") is Validity.GTT:
            return trigger
        if kind is not None and kind not in STOPS and trigger is not None:
            raise ValueError(f"a {kind} order has none")
        return trigger

    @field_validator("validity")
    @classmethod
    def _can_wait(cls, validity: Validity, body: ValidationInfo) -> Validity:
        if validity is Validity.IOC and body.data.get("type") in STOPS:
            raise ValueError("a stop waits; IOC does not")
        if validity in {Validity.GTC, Validity.GTT} and (
            body.data.get("type") not in {None, OrderType.LIMIT}
            or body.data.get("product") not in {None, Product.CNC}
        ):
            raise ValueError(f"{validity} is for LIMIT orders of CNC")
        return validity

    @field_validator("validity_minutes")
    @classmethod
    def _is_a_ttls(cls, minutes: int | None, body: ValidationInfo) -> int | None:
        validity = body.data.get("validity")
        if validity is Validity.TTL and minutes is None:
            raise ValueError("validity TTL needs it")
        if validity not in {None, Validity.TTL} and minutes is not None:
            raise ValueError("is for validity TTL")
        return minutes

    @field_validator("variety")
    @classmethod
    def _waits_for_one_thing(cls, variety: Variety, body: ValidationInfo) -> Variety:
        if variety is Variety.AMO and (
            body.data.get("type") in STOPS
            or body.data.get("validity") not in {Validity.DAY, Validity.GTC}
        ):
            raise ValueError("an AMO is a MARKET or LIMIT order, DAY or GTC")
        return variety

    def order_request(self) -> OrderRequest:
        intent = OrderIntent(
            self.side, self.type, self.quantity, self.price, self.disclosed_quantity,
            self.trigger_price,
        )  # fmt: skip
        return OrderRequest(
            self.symbol, intent, self.product, self.validity, self.validity_minutes, self.variety
        )
