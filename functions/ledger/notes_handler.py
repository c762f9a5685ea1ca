"""The routes of contract notes, in a function of its own: no other carries what draws a PDF."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from functions.ledger import show_notes
from functions.ledger.note_answers import NoteAnswer, NoteList
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Day
from functions.shared.runtime.http import needs, new_app, principal

app = new_app("contract-notes")

LIMIT_MAX = 500
#: More versions than a trade date will ever have.
VERSION_MAX = 1_000


@app.get("/v1/contract-notes", security=needs("read"), responses=described({200: NoteList}))
def contract_notes(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    cursor: Annotated[Day | None, Query()] = None,
) -> Response[str]:
    """Your contract notes, the latest version of each trade date's."""
    return show_notes.list_notes(composition.stores(), principal(app).user_id, cursor, limit)


_NOTE = described({200: NoteAnswer}, {404: ["NOT_FOUND"]})
_NOTE[200]["description"] = "The note; ask for a PDF with `Accept: application/pdf` too"
_NOTE[200]["content"]["application/pdf"] = {"schema": {"type": "string", "format": "binary"}}


@app.get("/v1/contract-notes/<trade_date>", security=needs("read"), responses=_NOTE)
def contract_note(
    trade_date: Annotated[Day, Path()],
    version: Annotated[int | None, Query(ge=1, le=VERSION_MAX)] = None,
    form: Annotated[show_notes.Format, Query(alias="format")] = "json",
) -> Response[str]:
    """What a trade date's trades cost in the end."""
    return show_notes.show_note(
        composition.stores(), principal(app).user_id, trade_date, version, form
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
