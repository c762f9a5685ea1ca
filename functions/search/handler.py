"""Search: open to all at a small rate per address, with the last price beside each hit.

Invariant: a hit needs no price. When the quote cache is away the prices are null, the hits remain.
"""

from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from functions.search.find import find
from functions.shared.access.throttle import SEARCH, Throttle, network_of
from functions.shared.domain.errors import Refused
from functions.shared.domain.money import format_price
from functions.shared.runtime import composition
from functions.shared.runtime.described import PriceText, SymbolText, described
from functions.shared.runtime.http import PUBLIC, client_address, new_app
from functions.shared.stores.search_documents import Found, Place
from functions.shared.wire.quotes import Quote

app = new_app("search")

HITS_MAX: Final = 50


class Hit(BaseModel):
    symbol: SymbolText
    name: Annotated[str, Field(examples=["Reliance Industries Limited"])]
    exchange: Annotated[str, Field(examples=["NSE"])]
    token: Annotated[int, Field(examples=[1001])]
    sector: Annotated[str, Field(examples=["Energy"])]
    kind: Annotated[str, Field(examples=["EQUITY"])]
    ltp: PriceText | None


class Hits(BaseModel):
    """`next` is the cursor of the following page, null on the last. `degraded`: the engine is away,
    and these are the symbols alone that begin so, on one page."""

    items: list[Hit]
    next: Annotated[str | None, Field(examples=["1-4398046513154"])]
    degraded: Annotated[bool, Field(examples=[False])]


@app.get(
    "/v1/search",
    summary="Find an instrument",
    tags=["Market"],
    security=PUBLIC,
    responses=described({200: Hits}, {429: ["TOO_MANY_REQUESTS"]}),
)
def search(
    q: Annotated[str, Query(min_length=1, max_length=64, description="Beginning of words")],
    limit: Annotated[int, Query(ge=1, le=HITS_MAX)] = 10,
    cursor: Annotated[str | None, Query(max_length=24, description="`next` of a page")] = None,
) -> Hits:
    """By symbol, ISIN, former symbol, or the beginnings of the name's words. A typo in a word of
    four letters and two in one of eight are forgiven, behind what matches as it is written. Equal
    matches are in the order of market cap and turnover."""
    stores = composition.stores()
    Throttle(stores.valkey).take(SEARCH, network_of(client_address(app)))
    found = find(stores, q, limit, None if cursor is None else _place(cursor))
    return Hits(
        items=[_hit(instrument, quote) for instrument, quote in found.hits],
        next=None if found.after is None else found.after.cursor(),
        degraded=found.degraded,
    )


def _place(cursor: str) -> Place:
    try:
        return Place.parse(cursor)
    except ValueError as error:
        raise Refused(400, "INVALID_REQUEST", str(error)) from error


def _hit(found: Found, quote: Quote | None) -> Hit:
    return Hit(
        symbol=found.symbol,
        name=found.name,
        exchange=found.exchange,
        token=found.token,
        sector=found.sector,
        kind=found.kind,
        ltp=format_price(quote.ltp) if quote and quote.ltp else None,
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
