"""Well-formed orders and plans, not yet sent, and their bodies as the broker reads them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order. `price` is None at the market; `trigger_price` for what doesn't wait. With
    `target_price` a second exit waits beside it; with `stop_price` too, both are the exits of an
    entry and `trigger_price` is None."""

    symbol: str
    side: str
    type: str
    quantity: int
    price: Decimal | None
    product: str
    validity: str
    trigger_price: Decimal | None = None
    target_price: Decimal | None = None
    stop_price: Decimal | None = None

    def body(self) -> dict[str, object]:
        """The request as `POST /v1/orders` reads it, without its client_order_id."""
        body: dict[str, object] = {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "quantity": self.quantity,
            "product": self.product,
            "validity": self.validity,
        }
        if self.price is not None:
            body["price"] = str(self.price)
        if self.trigger_price is not None:
            body["trigger_price"] = str(self.trigger_price)
        if self.stop_price is not None:
            body["exits"] = {
                "stop": {"trigger_price": str(self.stop_price)},
                "target": {"price": str(self.target_price)},
            }
        elif self.target_price is not None:
            body["target_price"] = str(self.target_price)
        return body

    def judged(self) -> "OrderRequest":
        """What the broker's preview is asked about."""
        return self


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """An order in slices: `legs` of an ICEBERG; of a TWAP or a VWAP the `minutes` it takes, one
    slice each `interval_minutes`; of a VWAP the share of the market's volume it may be. `price` is
    the worst that a slice may trade at, None at the market."""

    kind: str
    symbol: str
    side: str
    quantity: int
    price: Decimal | None
    product: str
    legs: int | None = None
    minutes: int | None = None
    interval_minutes: int | None = None
    participation_percent: int | None = None

    @property
    def slices(self) -> int:
        """How many slices it has."""
        if self.minutes is not None and self.interval_minutes is not None:
            return -(-self.minutes // self.interval_minutes)
        return self.legs or 1

    @property
    def each(self) -> int:
        """The shares of its largest slice when they are equal; by volume they are not."""
        return -(-self.quantity // self.slices)

    def body(self, now: datetime | None) -> dict[str, object]:
        """The request as `POST /v1/plans` reads it, without its client_id. `now`: business time,
        when the window begins; an ICEBERG has none."""
        body: dict[str, object] = {
            "kind": self.kind,
            "symbol": self.symbol,
            "side": self.side,
            "quantity": self.quantity,
            "product": self.product,
        }
        if self.price is not None:
            body["price"] = str(self.price)
        if self.legs is not None:
            body["legs"] = self.legs
        if self.minutes is not None and now is not None:
            body["ends_at"] = (now + timedelta(minutes=self.minutes)).isoformat()
            body["interval_minutes"] = self.interval_minutes
        if self.participation_percent is not None:
            body["participation_percent"] = self.participation_percent
        return body

    def judged(self) -> OrderRequest:
        """One slice: the broker judges, reserves and charges each by itself."""
        kind = "MARKET" if self.price is None else "LIMIT"
        return OrderRequest(
            self.symbol, self.side, kind, self.each, self.price, self.product, "DAY"
        )


Request = OrderRequest | PlanRequest
