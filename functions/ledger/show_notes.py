"""A user's contract notes: the list, one note as JSON, and the same note as a PDF.

Invariant: both forms are made from the kept document by one function, `render_note`; nothing is
computed anew. The PDF is drawn when asked for: the document is what is kept, and drawing it again
gives the same bytes.
"""

from datetime import date
from typing import Literal

from aws_lambda_powertools.event_handler import Response

from functions.shared.bookkeeping.contract_notes import find_note, latest_notes
from functions.shared.clock import from_micros
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.http import respond, respond_file
from functions.shared.wire.contract_notes import render_note, render_summary

Format = Literal["json", "pdf"]


def list_notes(stores: Stores, user_id: int, before: date | None, limit: int) -> Response[str]:
    """The latest version of each trade date's note, newest first; `next` is the trade date to go
    on before."""
    found = latest_notes(stores.shards, user_id, before or date.max, limit)
    items = [render_summary(written) for written in found]
    return respond(
        {"items": items, "next": items[-1]["trade_date"] if len(items) == limit else None}
    )


def show_note(
    stores: Stores, user_id: int, trade_date: date, version: int | None, form: Format
) -> Response[str]:
    """One version, the latest when none is named. Raises NotFound."""
    written = find_note(stores.shards, user_id, trade_date, version)
    note = render_note(written)
    if form == "json":
        return respond(note)
    # Drawing takes longer to import than all of a handler, and most requests never need it.
    from functions.ledger.contract_note_pdf import draw_note

    name = f"contract-note-{note['number']}.pdf"
    return respond_file(draw_note(note, from_micros(written.at)), "application/pdf", name)
