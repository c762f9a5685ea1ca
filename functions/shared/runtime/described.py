"""What a route answers, said beside the route and read by the OpenAPI document.

Flow: `responses=described(...)` on a route -> infra/aws/openapi.py, which adds what every route may
answer and an example of each. Nothing of it runs for a request. Invariant: the answers are as they
are described: the tests hold every answer of a function under test against the document
(tests/support/api_document.py).
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from functions.shared.runtime.codes import CODES

PROBLEM: Final = "application/problem+json"


class AnswerModel(BaseModel):
    """Base of an answer that is only described; one that is rendered from a model is that model.
    It is built when the document is: a function that starts pays nothing for it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


#: Rupees with two decimals.
Rupees = Annotated[str, _text(r"^-?[0-9]+\.[0-9]{2}$", "15000.00")]
#: A price in rupees, with the instrument's decimals.
PriceText = Annotated[str, _text(r"^-?[0-9]+\.([0-9]{2}|[0-9]{4})$", "1500.00")]
#: A price that came out of a division, in rupees with four decimals.
AverageText = Annotated[str, _text(r"^-?[0-9]+\.[0-9]{4}$", "1500.0000")]
#: RFC 3339 in UTC with microseconds.
TimeText = Annotated[
    str,
    _text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z$", "2026-11-23T04:30:00.000000Z"),
]
DayText = Annotated[str, _text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2026-11-23")]
#: An id of ours: an integer of 64 bits as text.
IdText = Annotated[str, _text("^[0-9]{1,19}$", "118253937935253512")]
#: The id that a client gave.
ClientIdText = Annotated[str, _text("^.{1,64}$", "my-first-order")]
SymbolText = Annotated[str, _text("^.{1,40}$", "RELIANCE")]
HashText = Annotated[str, _text("^[0-9a-f]{64}$", "5f9fcf99" * 8)]
CurrencyText = Annotated[str, _text("^[A-Z]{3}$", "INR")]


class RuleAnswer(AnswerModel):
    """A rule that failed; `nearest` and `largest_quantity` say what would pass."""

    code: Annotated[str, _text("^[A-Z0-9_]+$", "INSUFFICIENT_FUNDS")]
    message: Annotated[str, _text(".", "the order needs more than is available")]
    value: Annotated[str, _text(".", "150150.25")]
    limit: Annotated[str, _text(".", "100000.00")]
    nearest: Annotated[str, _text(".", "100000.00")] | None
    largest_quantity: int | None


class ProblemAnswer(AnswerModel):
    """A refusal inside an answer about many: as it would be the answer to one (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, _text("^/docs#", "/docs#ORDER_REFUSED")]
    title: Annotated[str, _text(".", "The order breaks a rule")]
    status: Annotated[int, Field(examples=[422])]
    code: Annotated[str, _text("^[A-Z0-9_]+$", "ORDER_REFUSED")]
    detail: Annotated[str, _text(".", "INSUFFICIENT_FUNDS")]
    request_id: str


class ChargesByHead(AnswerModel):
    """The charges of one fill, in rupees."""

    brokerage: Annotated[Rupees, Field(examples=["0.00"])]
    stt: Annotated[Rupees, Field(examples=["15.00"])]
    exchange: Annotated[Rupees, Field(examples=["0.46"])]
    ipft: Annotated[Rupees, Field(examples=["0.00"])]
    sebi: Annotated[Rupees, Field(examples=["0.02"])]
    stamp: Annotated[Rupees, Field(examples=["2.25"])]
    gst: Annotated[Rupees, Field(examples=["0.09"])]


def described(
    answers: Mapping[int, type[BaseModel] | None],
    refusals: Mapping[int, Sequence[str]] | None = None,
) -> dict[int, OpenAPIResponse]:
    """A route's `responses`: what it gives by status (None: nothing), and with which codes of its
    own it refuses. What every route may answer is added by the document."""
    described: dict[int, OpenAPIResponse] = {}
    for status, model in answers.items():
        described[status] = {"description": HTTPStatus(status).phrase}
        if model is not None:
            described[status]["content"] = {"application/json": {"model": model}}
    for status, codes in (refusals or {}).items():
        described[status] = refused(codes)
    return described


def refused(codes: Sequence[str]) -> OpenAPIResponse:
    """One status with the codes it may carry, each with its example in the document."""
    return {
        "description": "; ".join(f"{code}: {CODES[code]}" for code in codes),
        "content": {
            PROBLEM: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {c: {"$ref": f"#/components/examples/{c}"} for c in codes},
            }
        },
    }
