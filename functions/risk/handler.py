"""The routes of risk: what an order would meet, and the limits in force."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.risk.answers import LimitItem, LimitList, PreviewAnswer
from functions.risk.preview_order import preview_order
from functions.shared.clock import trade_date
from functions.shared.domain.errors import Refused
from functions.shared.domain.money import format_amount
from functions.shared.domain.pretrade import order_limits
from functions.shared.domain.square_off import square_off_fee
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import new_app, principal
from functions.shared.runtime.order_request import OrderBody

app = new_app("risk")


@app.post(
    "/v1/orders/preview",
    summary="Ask what an order would meet",
    tags=["Orders"],
    responses=described(
        {200: PreviewAnswer},
        {404: ["UNKNOWN_SYMBOL", "NOT_FOUND"], 503: ["NO_PRICE", "NO_RULES"]},
    ),
)
def preview(body: Annotated[OrderBody, Body()]) -> Response[str]:
    """The same verdict, charges and margin as placing, without placing."""
    return preview_order(composition.stores(), principal(app).user_id, body.order_request())


@app.get(
    "/v1/risk/limits",
    summary="Limits in force",
    tags=["Risk"],
    responses=described({200: LimitList}, {503: ["NO_RULES"]}),
)
def get_limits() -> LimitList:
    """The limits of one order and of one account, on the business clock's trade date, and what
    each order that squares an intraday position off costs, GST included."""
    today = trade_date(composition.stores().clock.now())
    try:
        row, fee = order_limits(today), square_off_fee(today)
    except LookupError as error:
        raise Refused(503, "NO_RULES", str(error)) from error
    limits = (
        ("ORDER_QUANTITY_MAX", str(row.quantity_max), "shares", row),
        ("ORDER_VALUE_MAX", format_amount(row.value_max), "INR", row),
        ("OPEN_ORDERS_MAX", str(row.open_orders_max), "orders", row),
        ("SQUARE_OFF_FEE", format_amount(fee.fee + fee.tax), "INR", fee),
    )
    return LimitList(
        items=[
            LimitItem(
                code=code,
                value=value,
                unit=unit,
                valid_from=rule.valid_from.isoformat(),
                valid_to=None,
                source=rule.source,
            )
            for code, value, unit, rule in limits
        ]
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
