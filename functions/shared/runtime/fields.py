"""Field types of requests: from JSON text to the integers that rules work on.

Invariant: a price or an amount arrives as a JSON string or number and leaves as an exact integer;
a quantity is a JSON integer. An unknown field is refused by name.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from functions.shared.domain.money import (
    format_amount,
    format_price,
    parse_decimal,
    parse_price,
)

_ISO_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC3339 = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
_DECIMAL_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"},
        {"type": "number"},
    ]
}


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise ValueError("must be a decimal, as a string or a number")


def _price(value: object) -> int:
    return parse_price(_text_of(value))


def _amount(value: object) -> int:
    return parse_decimal(_text_of(value), 2)


def price_to(most: int) -> AfterValidator:
    """Above 0 and at most `most` ten-thousandths of a rupee; a refusal says so in rupees."""
    return _above_zero_to(most, format_price)


def amount_to(most: int) -> AfterValidator:
    """Above 0 and at most `most` paise; a refusal says so in rupees."""
    return _above_zero_to(most, format_amount)


def _above_zero_to(most: int, in_rupees: Callable[[int], str]) -> AfterValidator:
    def checked(value: int) -> int:
        if not 0 < value <= most:
            raise ValueError(f"must be above 0 and at most {in_rupees(most)}")
        return value

    return AfterValidator(checked)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie in the years 1 to 9999 of UTC") from error


def _timestamp(value: object) -> object:
    """pydantic would read bare digits as seconds since 1970: `20261123` is nobody's instant."""
    if isinstance(value, str) and not _RFC3339.match(value):
        raise ValueError("must be a time with its zone, as 2026-11-23T09:15:00Z")
    return value


def _day(value: object) -> object:
    if isinstance(value, str) and not _ISO_DAY.fullmatch(value):
        digits = re.fullmatch("([0-9]{4})([0-9]{2})([0-9]{2})", value)
        example = "-".join(digits.groups()) if digits else "2026-11-23"
        raise ValueError(f"must be a day as YYYY-MM-DD: {example}")
    return value


#: Rupees in the request, ten-thousandths of a rupee for the rules.
Price = Annotated[int, BeforeValidator(_price), WithJsonSchema(_DECIMAL_SCHEMA)]
#: Rupees in the request, paise for the rules.
Amount = Annotated[int, BeforeValidator(_amount), WithJsonSchema(_DECIMAL_SCHEMA)]
#: A time with its zone in the request, UTC inside.
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc), BeforeValidator(_timestamp)]
#: A calendar day in the request, as 2026-11-23.
Day = Annotated[date, BeforeValidator(_day)]
#: A whole number; `10.0` and `"10"` are refused.
Integer = Annotated[int, Field(strict=True)]


class Request(BaseModel):
    """Base of every request body: frozen, and an unknown field is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def said(text: str) -> Any:
    """A field's description in the API's document."""
    return Field(description=text)


def example(body: JsonDict) -> ConfigDict:
    """A body's `model_config`: what the API's document shows of it."""
    return ConfigDict(json_schema_extra={"examples": [body]})
