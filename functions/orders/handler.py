"""The routes of orders. Each parses, calls one use case and hands its answer back."""

from typing import Annotated, Any, Self
from uuid import uuid4

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import Field, model_validator

from functions.orders import change_order, place_order, plan_orders, read_orders
from functions.orders.answers import (
    CancelledOrders,
    OrderAnswer,
    OrderDetail,
    OrderList,
    PlacedBasket,
)
from functions.orders.plan_answers import PlanAnswer, PlanList
from functions.orders.plan_request import NewPlanBody
from functions.shared.bookkeeping.reading import OrderQuery
from functions.shared.domain.errors import NotFound
from functions.shared.domain.instruments import listed_name
from functions.shared.domain.orders import Side, Status
from functions.shared.domain.plans import PlanState
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Instant, Integer, Request, example
from functions.shared.runtime.http import needs, new_app, principal, request_id
from functions.shared.runtime.order_request import (
    BASKET_MAX,
    ORDER_EXAMPLE,
    ClientId,
    OrderBody,
    OrderPrice,
    Quantity,
    Symbol,
)

app = new_app("orders")

ORDER_ID_MAX = 2**63 - 1
_NOT_CHANGED = ("ID_REUSED", "VERSION_MOVED", "ORDER_ENDED", "CHANGE_PENDING")
_RESERVED = {400: ["RESERVED_ID"]}
_UNJUDGED = ("NO_PRICE", "NO_RULES", "VENUE_UNAVAILABLE")
LIMIT_MAX = 500


class NewOrderBody(OrderBody):
    """An order with the id that makes it happen once, however often it is sent. Ids that begin
    with SQ-, GTC-, PL- or TTL- are the broker's own: 400 RESERVED_ID."""

    model_config = example({"client_order_id": "my-first-order", **ORDER_EXAMPLE})

    client_order_id: ClientId


class ModifyBody(Request):
    """The changed fields: `quantity` is the new total, `trigger_price` that of an order that waits.
    `version` refuses a change to an order that has moved since it was read. A `request_id` stands
    for one body: with another it is refused; with the same it is answered as at first, a 422 too. A
    409 uses up no `request_id`."""

    model_config = example({"request_id": "dearer-1", "price": "1501.00", "version": 2})

    request_id: ClientId
    version: Annotated[Integer, Field(gt=0, le=2**31 - 1)] | None = None
    quantity: Quantity | None = None
    price: OrderPrice | None = None
    trigger_price: OrderPrice | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.quantity is None and self.price is None and self.trigger_price is None:
            raise ValueError("give the quantity, the price, the trigger_price, or more of them")
        return self


class CancelBody(Request):
    """`request_id` makes a repeated cancel the same cancel; left out, each one is new."""

    model_config = example({"request_id": "cancel-1"})

    request_id: ClientId = Field(default_factory=lambda: str(uuid4()))
    version: Annotated[Integer, Field(gt=0, le=2**31 - 1)] | None = None


class CancelAllBody(Request):
    """`request_id` makes a repeated request the same one, about the same orders and plans; with
    another body it is refused. `symbol` and `side` leave the other orders alone."""

    model_config = example({"request_id": "out-1", "symbol": "RELIANCE", "side": "BUY"})

    request_id: ClientId = Field(default_factory=lambda: str(uuid4()))
    symbol: Symbol | None = None
    side: Side | None = None


class BasketBody(Request):
    """Orders that are placed in one go, in their order. One that is refused doesn't keep the others
    from being placed."""

    model_config = example({"orders": [{"client_order_id": "my-first-order", **ORDER_EXAMPLE}]})

    orders: Annotated[list[NewOrderBody], Field(min_length=1, max_length=BASKET_MAX)]


@app.post(
    "/v1/orders",
    security=needs("trade"),
    responses=described(
        {202: OrderAnswer, 200: OrderAnswer},
        {**_RESERVED, 404: ["UNKNOWN_SYMBOL", "NOT_FOUND"], 409: ["ID_REUSED"],
         422: ["ORDER_REFUSED", "PRODUCT_NOT_OFFERED", "NEVER_TRADED"], 429: ["RATE_LIMITED"],
         503: _UNJUDGED},
    ),
)  # fmt: skip
def place(body: Annotated[NewOrderBody, Body()]) -> Response[str]:
    """Place an order. 202 once, 200 for the same id and body again."""
    return place_order.place_order(
        composition.stores(), principal(app), body.client_order_id, body.order_request()
    )


@app.get("/v1/orders", security=needs("read"), responses=described({200: OrderList}))
def list_orders(
    status: Annotated[Status | None, Query()] = None,
    symbol: Annotated[str | None, Query(max_length=40)] = None,
    start: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,19}$")] = None,
) -> Response[str]:
    """Your orders, newest first."""
    query = OrderQuery(
        rows=limit,
        before=None if cursor is None else min(int(cursor), ORDER_ID_MAX),
        status=status,
        symbol=None if symbol is None else listed_name(symbol),
        start=start,
        until=until,
    )
    return read_orders.list_orders(composition.stores(), principal(app).user_id, query)


@app.get(
    "/v1/orders/<order_id>",
    security=needs("read"),
    responses=described({200: OrderDetail}, {404: ["NOT_FOUND"]}),
)
def show(order_id: str) -> Response[str]:
    """One order with its history and fills."""
    return read_orders.show_order(
        composition.stores(), principal(app).user_id, _order_number(order_id)
    )


@app.patch(
    "/v1/orders/<order_id>",
    security=needs("trade"),
    responses=described(
        {202: OrderAnswer},
        {**_RESERVED, 404: ["NOT_FOUND"], 409: [*_NOT_CHANGED, "BELOW_FILLED", "NOT_CHANGEABLE"],
         422: ["ORDER_REFUSED", "NEVER_TRADED"], 503: _UNJUDGED},
    ),
)  # fmt: skip
def modify(order_id: str, body: Annotated[ModifyBody, Body()]) -> Response[str]:
    """Ask to change a working order's total quantity, its price, or both."""
    return change_order.modify_order(
        composition.stores(), principal(app).user_id, _order_number(order_id),
        body.request_id, body.version, body.quantity, body.price, body.trigger_price,
    )  # fmt: skip


@app.delete(
    "/v1/orders/<order_id>",
    security=needs("cancel"),
    responses=described({202: OrderAnswer}, {**_RESERVED, 404: ["NOT_FOUND"], 409: _NOT_CHANGED}),
)
def cancel(order_id: str, body: Annotated[CancelBody | None, Body()] = None) -> Response[str]:
    """Ask to cancel a working order."""
    wanted = body or CancelBody()
    return change_order.cancel_order(
        composition.stores(), principal(app).user_id, _order_number(order_id),
        wanted.request_id, wanted.version,
    )  # fmt: skip


@app.delete(
    "/v1/orders",
    security=needs("cancel"),
    responses=described(
        {202: CancelledOrders},
        {**_RESERVED, 404: ["UNKNOWN_SYMBOL", "NOT_FOUND"], 409: ["ID_REUSED"]},
    ),
)
def cancel_all(body: Annotated[CancelAllBody | None, Body()] = None) -> Response[str]:
    """Ask to cancel every working order and plan, of a symbol or a side if given."""
    wanted = body or CancelAllBody()
    return change_order.cancel_all(
        composition.stores(), principal(app).user_id, wanted.request_id, wanted.symbol, wanted.side
    )


@app.post(
    "/v1/orders/baskets",
    security=needs("trade"),
    responses=described(
        {200: PlacedBasket}, {**_RESERVED, 404: ["NOT_FOUND"], 422: ["PRODUCT_NOT_OFFERED"]}
    ),
)
def place_basket(body: Annotated[BasketBody, Body()]) -> Response[str]:
    """Place up to 20 orders at once, each answered by itself."""
    orders = [(order.client_order_id, order.order_request()) for order in body.orders]
    return place_order.place_basket(composition.stores(), principal(app), orders, request_id(app))


@app.post(
    "/v1/plans",
    security=needs("trade"),
    responses=described(
        {202: PlanAnswer, 200: PlanAnswer},
        {**_RESERVED, 404: ["UNKNOWN_SYMBOL", "NOT_FOUND"], 409: ["ID_REUSED"],
         422: ["ORDER_REFUSED", "PRODUCT_NOT_OFFERED", "NEVER_TRADED"], 503: _UNJUDGED},
    ),
)  # fmt: skip
def open_plan(body: Annotated[NewPlanBody, Body()]) -> Response[str]:
    """Trade a quantity in slices: an iceberg's legs or a TWAP's. 202 once, 200 for the same id and
    body again."""
    caller = principal(app)
    return plan_orders.open_plan(
        composition.stores(), caller.user_id, body.plan_request(), live=caller.live
    )


@app.get("/v1/plans", security=needs("read"), responses=described({200: PlanList}))
def list_plans(
    state: Annotated[PlanState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,19}$")] = None,
) -> Response[str]:
    """Your plans, newest first."""
    before = None if cursor is None else min(int(cursor), ORDER_ID_MAX)
    return plan_orders.list_plans(
        composition.stores(), principal(app).user_id, limit, before, state
    )


@app.get(
    "/v1/plans/<plan_id>",
    security=needs("read"),
    responses=described({200: PlanAnswer}, {404: ["NOT_FOUND"]}),
)
def show_plan(plan_id: str) -> Response[str]:
    """One plan with its slices, what they traded and what is left."""
    return plan_orders.show_plan(
        composition.stores(), principal(app).user_id, _order_number(plan_id)
    )


@app.delete(
    "/v1/plans/<plan_id>",
    security=needs("cancel"),
    responses=described({202: PlanAnswer}, {404: ["NOT_FOUND"], 409: ["ORDER_ENDED"]}),
)
def cancel_plan(plan_id: str) -> Response[str]:
    """End a plan: nothing more is placed, and the order of its that works is cancelled."""
    return plan_orders.cancel_plan(
        composition.stores(), principal(app).user_id, _order_number(plan_id)
    )


def _order_number(text: str) -> int:
    """Raises NotFound for what can't be an order's number."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= ORDER_ID_MAX):
        raise NotFound(f"no order {text[:40]!r}")
    return int(text)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
