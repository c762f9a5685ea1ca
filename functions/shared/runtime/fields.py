"""Field types of requests: from JSON text to the integers that rules work on.

Invariant: a price or an amount arrives as a JSON string or number and leaves as an exact integer;
a quantity is a JSON integer. An unknown field is refused by name.
"""

import re
from dataclasses import dataclass
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
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from functions.shared.domain.money import parse_decimal, parse_price

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


@dataclass(frozen=True, slots=True)
class AboveZero:
    """Above 0 and at most `most` units, of which `10 ** decimals` are a rupee: the check, and what
    the API's document says of it. `most` is a power of ten."""

    most: int
    decimals: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        zeros = len(str(self.most)) - 1 - self.decimals
        below = rf"(0|[1-9][0-9]{{0,{zeros - 1}}})(\.[0-9]{{1,{self.decimals}}}0{{0,2}})?"
        return {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": rf"^((?!0(\.0+)?$){below}|10{{{zeros}}}(\.0{{1,4}})?)$",
                },
                # Of a number's decimals JSON Schema could only say multipleOf, which is a float's.
                {"type": "number", "exclusiveMinimum": 0, "maximum": 10**zeros},
            ]
        }

    def _checked(self, value: int) -> int:
        if not 0 < value <= self.most:
            rupees = self.most // 10**self.decimals
            raise ValueError(f"must be above 0 and at most {rupees}.00")
        return value


def price_to(most: int) -> AboveZero:
    """Above 0 and at most `most` ten-thousandths of a rupee; a refusal says so in rupees."""
    return AboveZero(most, 4)


def amount_to(most: int) -> AboveZero:
    """Above 0 and at most `most` paise; a refusal says so in rupees."""
    return AboveZero(most, 2)


@dataclass(frozen=True, slots=True)
class Form:
    """A text of one form: the pattern for programs, in the API's document, and in words for whoever
    is refused."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def _checked(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(f"must be {self.words}")
        return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie in the years 1 to 9999 of UTC") from error


def _timestamp(value: object) -> object:
    """pydantic would read bare digits as seconds since 1970: `20261123` is nobody's instant, and
    neither is a number."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _RFC3339.match(value)):
        raise ValueError("must be a time with its zone, as 2026-11-23T09:15:00Z")
    return value


def _day(value: object) -> object:
    if not isinstance(value, str | date):
        raise ValueError("must be a day as YYYY-MM-DD: 2026-11-23")
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
