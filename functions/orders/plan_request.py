"""The body of a plan, as `POST /v1/plans` reads it.

Invariant: a body that parses is a plan that makes sense by itself: an iceberg has legs and no
window, a timed plan has a window and an interval. What it may do is judged afterwards.
"""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from functions.orders.plan_orders import PlanRequest
from functions.shared.domain.orders import Product, Side
from functions.shared.domain.plans import LEGS_MAX, LEGS_MIN, PARTICIPATION_MAX, PlanKind
from functions.shared.runtime.fields import Instant, Integer, Request, example
from functions.shared.runtime.order_request import (
    ClientId,
    OfferedProduct,
    OrderPrice,
    Quantity,
    Symbol,
)

_MINUTES_MAX: Final = 24 * 60
PLAN_EXAMPLE: Final[JsonDict] = {
    "client_id": "my-iceberg", "kind": "ICEBERG", "symbol": "RELIANCE", "side": "BUY",
    "quantity": 100, "price": "1500.00", "legs": 5,
}  # fmt: skip


class NewPlanBody(Request):
    """What to trade, in slices. ICEBERG: so many `legs`, the next once the one before is filled.
    TWAP: a slice at the start of each interval of `interval_minutes` from `starts_at` (now, when
    left out) to `ends_at`; what one doesn't trade is carried to the next. VWAP: by the same window,
    slices as large as the volume that the market is expected to trade, corrected by what it has
    traded, and `participation_percent` of it at most. `price` in rupees is the worst that a slice
    may trade at; left out, each is protected as a market order is."""

    model_config = example(PLAN_EXAMPLE)

    client_id: ClientId
    kind: PlanKind
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: OrderPrice | None = None
    product: OfferedProduct = Product.CNC
    legs: Annotated[Integer, Field(ge=LEGS_MIN, le=LEGS_MAX)] | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    interval_minutes: Annotated[Integer, Field(gt=0, le=_MINUTES_MAX)] | None = None
    participation_percent: Annotated[Integer, Field(gt=0, le=PARTICIPATION_MAX)] | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        timed = {
            "ends_at": self.ends_at, "interval_minutes": self.interval_minutes
        }  # fmt: skip
        if self.kind is PlanKind.ICEBERG:
            if self.legs is None:
                raise ValueError("an ICEBERG needs its legs")
            given = [name for name, value in timed.items() if value is not None]
            if given or self.starts_at is not None:
                raise ValueError("an ICEBERG has no window: leave the times out")
            return self
        missing = [name for name, value in timed.items() if value is None]
        if missing:
            raise ValueError(f"a {self.kind} needs {' and '.join(missing)}")
        if self.legs is not None:
            raise ValueError(f"a {self.kind} has no legs")
        return self

    @model_validator(mode="after")
    def _goes_by_volume(self) -> Self:
        if (self.kind is PlanKind.VWAP) != (self.participation_percent is not None):
            raise ValueError("a VWAP, and nothing else, needs its participation_percent")
        return self

    def plan_request(self) -> PlanRequest:
        minutes = self.interval_minutes
        return PlanRequest(
            client_id=self.client_id,
            kind=self.kind,
            symbol=self.symbol,
            side=self.side,
            product=self.product,
            quantity=self.quantity,
            price=self.price,
            legs=self.legs,
            participation=self.participation_percent,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            interval=None if minutes is None else timedelta(minutes=minutes),
            asked=self.model_dump_json(exclude={"client_id"}).encode(),
        )
