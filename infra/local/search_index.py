"""The search index and its list of symbols, made at each start from the instruments just seeded."""

from functions.search.keep_index import mend
from functions.shared.runtime.composition import Stores
from functions.shared.settings import StoreSettings
from functions.shared.stores.search_cache import SearchCache
from infra.local.home import StoreAddresses


def build_search_index(stores: StoreAddresses, clock: str) -> None:
    """Raises Retryable when one of the stores doesn't answer."""
    opened = Stores(
        StoreSettings(
            postgres_urls=tuple(stores.postgres),
            valkey_url=stores.valkey,
            secrets_url=stores.secrets,
            search_url=stores.search,
            clock=clock,
        )
    )
    try:
        SearchCache(opened.valkey).forget()
        mend(opened)
    finally:
        opened.close()
