"""Finding instruments: from the last minute's answers, else from the index, else by symbol alone.

Invariant: an answer that is kept holds no price; prices are read for each answer as it is given.
When the engine is away the answer comes from the list in Valkey and says so (`degraded`).
"""

import contextlib
from typing import NamedTuple

from functions.search.index import index_of
from functions.shared.domain.errors import Retryable
from functions.shared.domain.search_terms import Asked, asked_for
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.search_cache import SearchCache
from functions.shared.stores.search_documents import Found, Page, Place
from functions.shared.wire.quotes import Quote


class Answer(NamedTuple):
    """Hits, the best first, each with its last quote where there is one."""

    hits: list[tuple[Found, Quote | None]]
    after: Place | None = None
    degraded: bool = False


def find(stores: Stores, query: str, limit: int, after: Place | None) -> Answer:
    """A page of what is asked for. Raises Retryable when neither the engine nor Valkey answers."""
    asked = asked_for(query)
    if asked is None:
        return Answer([])
    degraded = False
    try:
        page = _from_index(stores, asked, limit, after)
    except Retryable as error:
        logger().warning("search degraded", why=str(error))
        degraded = True
        page = Page(hits=tuple(SearchCache(stores.valkey).begin_with(asked, limit)))
    quotes: dict[str, Quote] = {}
    with contextlib.suppress(Retryable):  # a hit needs no price
        quotes = stores.quotes.get(hit.symbol for hit in page.hits)
    return Answer([(hit, quotes.get(hit.symbol)) for hit in page.hits], page.after, degraded)


def _from_index(stores: Stores, asked: Asked, limit: int, after: Place | None) -> Page:
    """Raises Retryable when the engine is away and the answer isn't kept."""
    cache = SearchCache(stores.valkey)
    generation: bytes | None = None
    if after is None:
        with contextlib.suppress(Retryable):
            kept = cache.look_up(asked, limit)
            if kept.page is not None:
                return kept.page
            generation = kept.generation
    index = index_of(stores)
    if index is None:
        raise Retryable("no search index was named")
    page = index.find(asked, limit, after)
    if generation is not None:
        with contextlib.suppress(Retryable):
            cache.keep(asked, limit, generation, page)
    return page
