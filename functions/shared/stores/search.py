"""The search index: what every engine of it does, and which one an address names.

Invariant: the index is a copy of the instrument master and never the only place of a fact. An older
state of an instrument never replaces a newer one, in whatever order they come; a rebuilt index
takes the place of the old one at once, never half of it.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from functions.shared.domain.search_terms import Asked
from functions.shared.settings import file_url_path
from functions.shared.stores.search_documents import Delisted, Listing, Page, Place


class SearchIndex(Protocol):
    """What every engine does; tests/contract/test_search_index.py holds them to it."""

    def find(self, asked: Asked, limit: int, after: Place | None = None) -> Page:
        """The best `limit` instruments behind a place, by Match and then by rank. Raises Retryable
        when the engine is away or holds no index yet."""

    def apply(self, changes: Sequence[Listing | Delisted]) -> None:
        """Takes these states in; searches find them when it returns. Raises Retryable: some of
        them may be in, and the caller gives all of them again."""

    def rebuild(self, listings: Iterable[Listing]) -> None:
        """Puts an index of exactly these in the place of the one there was; searches go on in the
        old one until then. Raises Retryable; then the old one stands."""

    def is_built(self) -> bool:
        """Whether there is an index at all. Raises Retryable."""

    def close(self) -> None: ...


def open_search(url: str) -> SearchIndex:
    """The index at `file:///FOLDER` (embedded), `http(s)://[USER:PASSWORD@]HOST:PORT[/NAME]` or,
    on AWS with requests signed, `opensearch://REGION/HOST[/NAME]`. Connects when first used.

    Raises ValueError for another address.
    """
    parts = urlsplit(url)
    folder = file_url_path(url)
    # Imported here: a process has one of the engines, and either costs its share of a cold start.
    if folder is not None:
        from functions.shared.stores.embedded_search import EmbeddedSearch

        return EmbeddedSearch(folder)
    if parts.scheme in {"http", "https", "opensearch"} and parts.hostname:
        from functions.shared.stores.opensearch import open_opensearch

        return open_opensearch(url)
    raise ValueError(
        "OUTCRY_SEARCH_URL is file:///FOLDER, http(s)://HOST:PORT or opensearch://REGION/HOST"
    )
