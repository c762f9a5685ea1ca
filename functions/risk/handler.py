"""The routes of risk: what an order would meet, and the limits in force."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from functions.risk.answers import BasketPreviewAnswer, LimitList, PreviewAnswer
from functions.risk.preview_order import preview_basket, preview_order
from functions.risk.show_limits import show_limits
from functions.shared.domain.errors import Refused
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Request, example
from functions.shared.runtime.http import needs, new_app, principal, request_id
from functions.shared.runtime.order_request import BASKET_MAX, ORDER_EXAMPLE, OrderBody

app = new_app("risk")

_UNJUDGED = ("NO_PRICE", "NO_RULES", "VENUE_UNAVAILABLE")


@app.post(
    "/v1/orders/preview",
    security=needs("read"),
    summary="Ask what an order would meet",
    tags=["Orders"],
    responses=described(
        {200: PreviewAnswer},
        {
            404: ["UNKNOWN_SYMBOL", "NOT_FOUND"],
            422: ["PRODUCT_NOT_OFFERED", "NEVER_TRADED"],
            503: _UNJUDGED,
        },
    ),
)
def preview(body: Annotated[OrderBody, Body()]) -> Response[str]:
    """The same verdict, charges and margin as placing, without placing."""
    caller = principal(app)
    return preview_order(
        composition.stores(), caller.user_id, body.order_request(), live=caller.live
    )


class BasketPreview(Request):
    """The orders of a basket, without their ids."""

    model_config = example({"orders": [ORDER_EXAMPLE]})

    orders: Annotated[list[OrderBody], Field(min_length=1, max_length=BASKET_MAX)]


@app.post(
    "/v1/orders/baskets/preview",
    security=needs("read"),
    summary="Ask what a basket would meet",
    tags=["Orders"],
    responses=described(
        {200: BasketPreviewAnswer}, {404: ["NOT_FOUND"], 422: ["PRODUCT_NOT_OFFERED"]}
    ),
)
def preview_of_basket(body: Annotated[BasketPreview, Body()]) -> Response[str]:
    """The verdict on each order, and the charges and the margin of all of them, without placing."""
    orders = [order.order_request() for order in body.orders]
    caller = principal(app)
    return preview_basket(
        composition.stores(), caller.user_id, orders, request_id(app), live=caller.live
    )


@app.get(
    "/v1/risk/limits",
    security=needs("read"),
    summary="Limits in force",
    tags=["Risk"],
    responses=described({200: LimitList}, {503: ["NO_RULES"]}),
)
def get_limits() -> LimitList:
    """The limits of one order and of your account, on the business clock's trade date, what is used
    and left of them, and what each order that squares an intraday position off costs, GST included.
    An account without a limit on its rate, or on what stands in one share, has no row for it."""
    try:
        return show_limits(composition.stores(), principal(app).user_id)
    except LookupError as error:
        raise Refused(503, "NO_RULES", str(error)) from error


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
