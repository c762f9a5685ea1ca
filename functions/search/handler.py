"""Search: open to all at a small rate per address, with the last price beside each hit.

Invariant: a hit needs no price. When the quote cache is away the prices are null, the hits remain.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from functions.search.prefix_index import PrefixIndex
from functions.shared.access.throttle import SEARCH, Throttle, network_of
from functions.shared.domain.errors import Retryable
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.money import format_price
from functions.shared.runtime import composition
from functions.shared.runtime.described import PriceText, SymbolText, described
from functions.shared.runtime.http import PUBLIC, client_address, new_app
from functions.shared.stores.quotes import QuoteCache
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
    items: list[Hit]
    next: None = None


class _Index:
    """The index of the master as last read; built again when the master was read again."""

    def __init__(self) -> None:
        self._source: Mapping[str, Instrument] | None = None
        self._index = PrefixIndex(())

    def of(self, source: Mapping[str, Instrument]) -> PrefixIndex:
        if source is not self._source:
            self._index = PrefixIndex(source.values())
            self._source = source
        return self._index


_index = _Index()


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
) -> Hits:
    """By the beginning of the symbol or of any word of the name."""
    stores = composition.stores()
    Throttle(stores.valkey).take(SEARCH, network_of(client_address(app)))
    found = _index.of(stores.instruments.by_symbol()).find(q, limit)
    prices = _last_prices(stores.quotes, found)
    return Hits(items=[_hit(instrument, prices.get(instrument.symbol)) for instrument in found])


def _last_prices(cache: QuoteCache, instruments: Iterable[Instrument]) -> dict[str, Quote]:
    try:
        return cache.get(instrument.symbol for instrument in instruments)
    except Retryable:
        return {}


def _hit(instrument: Instrument, quote: Quote | None) -> Hit:
    return Hit(
        symbol=instrument.symbol,
        name=instrument.name,
        exchange=instrument.exchange,
        token=instrument.token,
        sector=instrument.sector,
        kind=instrument.kind,
        ltp=format_price(quote.ltp) if quote and quote.ltp else None,
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
