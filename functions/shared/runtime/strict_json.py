"""The one reader of JSON that comes from outside.

Invariant: a number keeps its exact value (no float exists on the way), an object names each key
once, and every string can be stored. What doesn't fit is refused with a code, never adjusted.
"""

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from functions.shared.domain.errors import Refused

BODY_BYTES_MAX: Final = 64 * 1024
NUMBER_DIGITS_MAX: Final = 18

Json = dict[str, Any] | list[Any] | str | int | Decimal | bool | None


def read_json(text: str) -> Json:
    """The value of a JSON text: integers as int, decimals as Decimal.

    Raises Refused: 413 TOO_LARGE beyond 64 KiB; 400 NOT_JSON for anything but JSON (RFC 8259),
    for NaN and Infinity, a key named twice, nesting too deep, and for strings with NUL or half
    a surrogate pair; 400 INVALID_NUMBER for an exponent or more than 18 digits.
    """
    try:
        if len(text.encode()) > BODY_BYTES_MAX:
            raise Refused(413, "TOO_LARGE", f"the body is larger than {BODY_BYTES_MAX} bytes")
        value: Json = json.loads(
            text,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_each_key_once,
        )
    except UnicodeEncodeError:
        raise Refused(400, "NOT_JSON", "the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused(400, "NOT_JSON", f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Refused(400, "NOT_JSON", "the body is nested too deep") from None
    if "\\u" in text:  # only an escape can bring in a character that the bytes could not
        _check_characters(value)
    return value


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can carry the text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _integer(text: str) -> int:
    _check_digits(text)
    return int(text)


def _decimal(text: str) -> Decimal:
    if "e" in text or "E" in text:
        raise Refused(400, "INVALID_NUMBER", f"{text[:40]} has an exponent")
    _check_digits(text)
    return Decimal(text)


def _check_digits(text: str) -> None:
    if sum(c.isdigit() for c in text) > NUMBER_DIGITS_MAX:
        raise Refused(
            400, "INVALID_NUMBER", f"{text[:24]}... has more than {NUMBER_DIGITS_MAX} digits"
        )


def _no_constant(name: str) -> NoReturn:
    raise Refused(400, "NOT_JSON", f"{name} is not JSON")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(400, "NOT_JSON", f"{twice[:40]!r} is named twice")
    return found


def _check_characters(value: Json) -> None:
    if isinstance(value, str):
        if not is_storable(value):
            raise Refused(400, "NOT_JSON", "a string has a character that can't be stored")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_characters(name)
            _check_characters(member)
    elif isinstance(value, list):
        for member in value:
            _check_characters(member)
