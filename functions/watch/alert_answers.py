"""What the routes of price alerts take and give."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from functions.shared.domain.money import NotADecimal, format_price, parse_decimal
from functions.shared.domain.price_alerts import WHOLE, AlertKind
from functions.shared.runtime.described import DayText, IdText, PriceText, SymbolText, TimeText
from functions.shared.runtime.fields import Request, example, said
from functions.shared.runtime.order_request import PRICE_MAX, Symbol
from functions.shared.stores.price_alerts import Wanted
from functions.shared.wire.alerts import PriceAlertFacts, format_threshold
from functions.shared.wire.events import format_time

VOLUME_MAX: Final = 10**12
_CHANGES: Final = (AlertKind.CHANGE_ABOVE, AlertKind.CHANGE_BELOW)
#: By kind: its decimals, the least and the most in its own unit, and how they are said.
_RANGES: Final = {
    "PRICE": (4, 1, PRICE_MAX, "a price in rupees above 0, at most 10000000"),
    "CHANGE": (2, -WHOLE, 10 * WHOLE, "a percentage from -100.00 to 1000.00"),
    "VOLUME": (0, 1, VOLUME_MAX, "a whole number of shares, 1 to 1000000000000"),
}


def _one_line(note: str) -> str:
    if not note.isprintable():
        raise ValueError("must be one line of at most 100 characters")
    return note.strip()


class SetAlertBody(Request):
    """What is to be told. One that waits already for the same is changed, never made twice."""

    model_config = example({"symbol": "RELIANCE", "kind": "PRICE_ABOVE", "threshold": "1500.00"})

    symbol: Symbol
    kind: AlertKind
    threshold: Annotated[
        str,
        Field(pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$", examples=["1500.00"]),
        said("Rupees for a price, percent of the previous close for a change, shares for a volume"),
    ]
    repeats: Annotated[bool, Field(strict=True), said("Told once a trade date, until dropped")] = (
        False
    )
    note: Annotated[
        Annotated[str, Field(max_length=100), AfterValidator(_one_line)],
        said("Told with it, to you alone"),
    ] = ""

    @model_validator(mode="after")
    def _has_a_threshold(self) -> Self:
        self.in_unit()
        return self

    def in_unit(self) -> int:
        """The threshold in its kind's own unit. Raises ValueError."""
        decimals, least, most, allowed = _RANGES[self.kind.value.partition("_")[0]]
        try:
            number = parse_decimal(self.threshold, decimals)
        except NotADecimal:
            number = most + 1
        if not least <= number <= most:
            raise ValueError(f"threshold {self.threshold!r}: {self.kind.value} takes {allowed}")
        return number

    def wanted(self) -> Wanted:
        return Wanted(self.symbol, self.kind, self.in_unit(), self.repeats, self.note)


class PriceAlertAnswer(BaseModel):
    """WAITING until it is told; FIRED then, unless it repeats. `fired_price`: the last trade's."""

    alert_id: IdText
    symbol: SymbolText
    kind: AlertKind
    threshold: Annotated[str, Field(examples=["1500.00"])]
    repeats: Annotated[bool, Field(examples=[False])]
    note: Annotated[str, Field(examples=["sell a half"])]
    state: Literal["WAITING", "FIRED"]
    created_at: TimeText
    fired_on: DayText | None
    fired_at: TimeText | None
    fired_price: PriceText | None


class PriceAlertList(BaseModel):
    """The oldest first."""

    items: list[PriceAlertAnswer]


def alert_answer(found: PriceAlertFacts) -> PriceAlertAnswer:
    """As it is told to its user."""
    return PriceAlertAnswer(
        alert_id=str(found.alert_id),
        symbol=found.symbol,
        kind=found.kind,
        threshold=format_threshold(found.kind, found.threshold),
        repeats=found.repeats,
        note=found.note,
        state=found.state,
        created_at=format_time(found.created_at),
        fired_on=found.fired_on,
        fired_at=None if found.fired_at is None else format_time(found.fired_at),
        fired_price=None if found.fired_price is None else format_price(found.fired_price),
    )
