"""The body of an order, as `POST /v1/orders` and its preview read it.

Invariant: a body that parses is an order that makes sense by itself: a limit order has a price, a
market order has none, a stop has a trigger. What it may do is judged afterwards.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from functions.shared.bookkeeping.checking import OrderRequest
from functions.shared.domain.after_market import AFTER_MARKET
from functions.shared.domain.errors import Refused
from functions.shared.domain.instruments import listed_name
from functions.shared.domain.legs import ExitPrices
from functions.shared.domain.orders import (
    PRICED,
    STOPS,
    OrderType,
    Product,
    Side,
    Validity,
    Variety,
)
from functions.shared.domain.plans import SLICE_PREFIX
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.domain.square_off import RESERVED_PREFIX
from functions.shared.domain.waiting import LIFE_MINUTES_MAX, LIFE_OVER_PREFIX, RENEWAL_PREFIX
from functions.shared.runtime.fields import Integer, Price, Request, example, price_to, said

#: What the ids of the broker's own orders and requests begin with.
RESERVED_PREFIXES: Final = (RESERVED_PREFIX, RENEWAL_PREFIX, SLICE_PREFIX, LIFE_OVER_PREFIX)
#: Well above any real order; the value of the two together still fits the ledger's 64 bits.
QUANTITY_MAX = 10**9
#: Orders in one basket.
BASKET_MAX = 20
PRICE_MAX = 10**7 * 10_000

ORDER_EXAMPLE: Final[JsonDict] = {
    "symbol": "RELIANCE", "side": "BUY", "type": "LIMIT", "quantity": 10, "price": "1500.00",
}  # fmt: skip


def _not_reserved(value: str) -> str:
    """Raises Refused 400 RESERVED_ID."""
    if value.startswith(RESERVED_PREFIXES):
        names = ", ".join(RESERVED_PREFIXES)
        raise Refused(
            400, "RESERVED_ID", f"{value} is one of our own ids; yours begins with none of {names}",
            reserved=list(RESERVED_PREFIXES),
        )  # fmt: skip
    return value


ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,36}$"), AfterValidator(_not_reserved)]
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


#: What other brokers call the types that wait for a price.
TYPES_ELSEWHERE: Final = {
    "SL": OrderType.STOP_LIMIT, "SL-M": OrderType.STOP, "SLM": OrderType.STOP,
}  # fmt: skip


def _named_here(kind: object) -> object:
    if isinstance(kind, str) and (here := TYPES_ELSEWHERE.get(kind.upper())) is not None:
        raise ValueError(f"{kind} is called {here} here")
    return kind


OfferedProduct = Annotated[Product, BeforeValidator(_offered)]
NamedType = Annotated[OrderType, BeforeValidator(_named_here)]
Symbol = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(listed_name)]


class StopBody(Request):
    """The exit that limits a loss: a market order, or with a `price` a limit order, once a trade is
    at `trigger_price` or beyond."""

    model_config = example({"trigger_price": "1450.00"})

    trigger_price: OrderPrice
    price: OrderPrice | None = None


class TargetBody(Request):
    """The exit that takes a gain: a limit order once a trade is at its `price` or beyond."""

    model_config = example({"price": "1550.00"})

    price: OrderPrice


class ExitsBody(Request):
    """How the shares of an entry are left again: by one of the two."""

    model_config = example({"stop": {"trigger_price": "1450.00"}, "target": {"price": "1550.00"}})

    stop: StopBody
    target: TargetBody

    def prices(self) -> ExitPrices:
        return ExitPrices(self.stop.trigger_price, self.stop.price, self.target.price)


class OrderBody(Request):
    """What to trade. What it breaks is told rule by rule, each with its code, the nearest valid
    value and the largest valid quantity."""

    model_config = example({**ORDER_EXAMPLE})

    symbol: Annotated[Symbol, said("As the exchange writes it; the case of letters is no matter")]
    side: Side
    type: Annotated[
        NamedType,
        said(
            "MARKET goes as a limit at a protected price; STOP and STOP_LIMIT wait for a trade at"
            " `trigger_price`, then go as MARKET and as LIMIT"
        ),
    ]
    quantity: Annotated[Quantity, said("Shares, a multiple of the instrument's lot")]
    disclosed_quantity: Annotated[
        Quantity | None, said("Shares shown at a time: a tenth of `quantity` up to below all of it")
    ] = None
    price: Annotated[
        OrderPrice | None,
        Field(validate_default=True),
        said(
            "Rupees, on the instrument's tick and inside its band. A LIMIT or STOP_LIMIT needs it,"
            " no other type has one"
        ),
    ] = None
    product: Annotated[
        OfferedProduct, said("CNC is delivered; MIS is intraday, on margin, and closed by the day")
    ] = Product.CNC
    validity: Annotated[
        Validity,
        said(
            "DAY; IOC, filled at once or cancelled; TTL, for `validity_minutes`; GTC, a LIMIT of"
            " CNC for 90 days; GTT, one that waits for `trigger_price` for a year and reserves"
            " nothing meanwhile"
        ),
    ] = Validity.DAY
    trail: Annotated[
        OrderPrice | None,
        said("Of a STOP, in the place of a trigger: rupees that it stays behind the best price"),
    ] = None
    trigger_price: Annotated[
        OrderPrice | None,
        Field(validate_default=True),
        said(
            "The trade price that a STOP, a STOP_LIMIT or a GTT waits for: above the last one for"
            " a stop that buys, below it for one that sells"
        ),
    ] = None
    validity_minutes: Annotated[
        LifeMinutes | None, Field(validate_default=True), said("Of a TTL order, and no other")
    ] = None
    variety: Annotated[
        Variety, said("AMO: taken while the market is closed, for the opening of its next session")
    ] = Variety.REGULAR

    target_price: Annotated[
        OrderPrice | None,
        said(
            "Of a stop or a GTT: the limit of a second exit that waits with it; one of the two is"
            " to fill"
        ),
    ] = None
    exits: Annotated[
        ExitsBody | None,
        said("Of a LIMIT or MARKET order, DAY or IOC: the two exits that its fills bring to life"),
    ] = None

    @field_validator("price")
    @classmethod
    def _fits_type(cls, price: int | None, body: ValidationInfo) -> int | None:
        kind = body.data.get("type")  # not there when it was refused itself
        if kind in PRICED and price is None:
            raise ValueError(f"a {kind} order needs one")
        if kind is not None and kind not in PRICED and price is not None:
            raise ValueError(f"a {kind} order has none")
        return price

    @field_validator("trail")
    @classmethod
    def _is_a_trailing_stops(cls, trail: int | None, body: ValidationInfo) -> int | None:
        if trail is not None and (
            body.data.get("type") not in {None, OrderType.STOP}
            or body.data.get("validity") not in {None, Validity.DAY, Validity.TTL}
        ):
            raise ValueError("is for a STOP, DAY or TTL")
        return trail

    @field_validator("trigger_price")
    @classmethod
    def _is_a_stops(cls, trigger: int | None, body: ValidationInfo) -> int | None:
        kind = body.data.get("type")
        if body.data.get("trail") is not None:
            if trigger is not None:
                raise ValueError("a trailing stop's follows the price")
            return None
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
            body.data.get("type") in STOPS or body.data.get("validity") not in AFTER_MARKET
        ):
            raise ValueError("an AMO is a MARKET or LIMIT order, DAY or GTC")
        return variety

    @field_validator("target_price")
    @classmethod
    def _is_an_exits(cls, target: int | None, body: ValidationInfo) -> int | None:
        given = body.data
        if target is not None and given.get("trail") is not None:
            raise ValueError("a trailing stop waits alone")
        if target is None or not {"type", "side", "validity", "variety"} <= given.keys():
            return target
        waits = given["type"] in STOPS and given["validity"] is Validity.DAY
        if not waits and given["validity"] is not Validity.GTT:
            raise ValueError("is for a stop of the day or a GTT")
        if given.get("product") is Product.CNC and given["side"] is Side.BUY:
            raise ValueError("with CNC only a SELL leaves anything")
        if given.get("disclosed_quantity") is not None:
            raise ValueError("two exits that wait together show all of their quantity")
        return target

    @field_validator("exits")
    @classmethod
    def _follow_an_entry(cls, exits: ExitsBody | None, body: ValidationInfo) -> ExitsBody | None:
        given = body.data
        if exits is None or not {"type", "side", "validity", "variety"} <= given.keys():
            return exits
        if (
            given["type"] not in {OrderType.LIMIT, OrderType.MARKET}
            or given["validity"] not in {Validity.DAY, Validity.IOC}
            or given["variety"] is not Variety.REGULAR
        ):
            raise ValueError("are for a LIMIT or MARKET order, DAY or IOC")
        if given.get("product") is Product.CNC and given["side"] is Side.SELL:
            raise ValueError("with CNC only a BUY enters anything")
        return exits

    def order_request(self) -> OrderRequest:
        intent = OrderIntent(
            self.side, self.type, self.quantity, self.price, self.disclosed_quantity,
            self.trigger_price,
        )  # fmt: skip
        return OrderRequest(
            self.symbol, intent, self.product, self.validity, self.validity_minutes, self.variety,
            self.target_price, None if self.exits is None else self.exits.prices(), self.trail,
        )  # fmt: skip
