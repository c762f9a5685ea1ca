"""The routes of watchlists. Each parses, calls one use case and hands its answer back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from functions.shared.domain.errors import NotFound
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import needs, no_content, principal, respond
from functions.shared.stores.watchlists import Change
from functions.watch import alert_routes
from functions.watch import keep_watchlists as lists
from functions.watch.answers import (
    ChangeWatchlistBody,
    ExportedSymbols,
    ImportAnswer,
    ImportBody,
    NewWatchlistBody,
    RefusedRowAnswer,
    WatchlistAnswer,
    WatchlistList,
    watchlist_answer,
)
from functions.watch.api import app
from functions.watch.symbol_file import write_csv

#: Their routes register on the application.
OTHER_ROUTES = (alert_routes,)

_TAGS = ["Watchlists"]
_MINE = {404: ["NOT_FOUND"]}
_NAMES = {404: ["NOT_FOUND", "UNKNOWN_SYMBOL"]}


@app.get("/v1/watchlists", security=needs("read"), summary="My watchlists", tags=_TAGS)
def get_watchlists() -> WatchlistList:
    """All of them with their symbols, in your order."""
    found = lists.store(composition.stores()).all(principal(app).user_id)
    return WatchlistList(items=[watchlist_answer(each) for each in found])


@app.post(
    "/v1/watchlists",
    security=needs("account"),
    summary="Open a watchlist",
    tags=_TAGS,
    responses=described({201: WatchlistAnswer}, {**_NAMES, 409: ["NAME_TAKEN", "TOO_MANY"]}),
)
def post_watchlist(body: NewWatchlistBody) -> Response[str]:
    """Behind your others. Your other devices are told by `watchlist` on the stream."""
    opened = lists.open_list(composition.stores(), principal(app).user_id, body.name, body.symbols)
    return respond(watchlist_answer(opened).model_dump(), 201)


@app.get(
    "/v1/watchlists/<watchlist_id>",
    security=needs("read"),
    summary="One watchlist",
    tags=_TAGS,
    responses=described({200: WatchlistAnswer}, _MINE),
)
def get_watchlist(watchlist_id: str) -> WatchlistAnswer:
    """Its symbols in your order, and the `version` that a change must name: 409 VERSION_MOVED when
    another device was faster."""
    found = lists.one(composition.stores(), principal(app).user_id, _id(watchlist_id))
    return watchlist_answer(found)


@app.patch(
    "/v1/watchlists/<watchlist_id>",
    security=needs("account"),
    summary="Change a watchlist",
    tags=_TAGS,
    responses=described({200: WatchlistAnswer}, {**_NAMES, 409: ["VERSION_MOVED", "NAME_TAKEN"]}),
)
def patch_watchlist(watchlist_id: str, body: ChangeWatchlistBody) -> WatchlistAnswer:
    """Its name, its symbols, its place. 409 when another device was faster: read it again."""
    changed = lists.change_list(
        composition.stores(), principal(app).user_id, _id(watchlist_id), body.version,
        Change(body.name, body.symbols, body.position),
    )  # fmt: skip
    return watchlist_answer(changed)


@app.delete(
    "/v1/watchlists/<watchlist_id>",
    security=needs("account"),
    summary="Drop a watchlist",
    tags=_TAGS,
    responses=described({204: None}, _MINE),
)
def delete_watchlist(watchlist_id: str) -> Response[str]:
    """For good, whatever its version."""
    lists.drop_list(composition.stores(), principal(app).user_id, _id(watchlist_id))
    return no_content()


@app.post(
    "/v1/watchlists/<watchlist_id>/import",
    security=needs("account"),
    summary="Add a file's symbols",
    tags=_TAGS,
    responses=described({200: ImportAnswer}, {**_MINE, 409: ["VERSION_MOVED"]}),
)
def import_watchlist(watchlist_id: str, body: ImportBody) -> ImportAnswer:
    """Behind those that are there. What isn't taken is named, row by row; the rest is taken."""
    found, merged = lists.import_file(
        composition.stores(), principal(app).user_id, _id(watchlist_id), body.version, body.text,
        dry_run=body.dry_run,
    )  # fmt: skip
    return ImportAnswer(
        watchlist=watchlist_answer(found),
        added=merged.added,
        refused=[RefusedRowAnswer(row=r.row, text=r.text, code=r.code) for r in merged.refused],
        dry_run=body.dry_run,
    )


@app.get(
    "/v1/watchlists/<watchlist_id>/export",
    security=needs("read"),
    summary="A watchlist as a file",
    tags=_TAGS,
    responses={
        **described({200: None}, _MINE),
        200: {
            "description": "OK",
            "content": {"text/csv": {}, "application/json": {"model": ExportedSymbols}},
        },
    },
)
def export_watchlist(
    watchlist_id: str,
    kind: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> Response[str]:
    """CSV with symbol, exchange, name and ISIN, or a JSON array of symbols; import reads both."""
    stores = composition.stores()
    found = lists.one(stores, principal(app).user_id, _id(watchlist_id))
    if kind == "json":
        return respond(found.symbols)
    return Response(
        status_code=200,
        content_type="text/csv; charset=utf-8",
        body=write_csv(found.symbols, stores.instruments.by_symbol()),
        headers={"Content-Disposition": 'attachment; filename="watchlist.csv"'},
    )


def _id(text: str) -> UUID:
    """Raises NotFound for what can't be a watchlist's id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"no watchlist {text[:40]!r}") from None


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
