"""The search index of this process: opened once, by the functions of this folder alone, so that no
other function's artifact carries an engine."""

import functools

from functions.shared.runtime.composition import Stores
from functions.shared.settings import SettingsError
from functions.shared.stores.search import SearchIndex, open_search


def index_of(stores: Stores) -> SearchIndex | None:
    """None in a process that was told of none. Raises SettingsError for a wrong address."""
    url = stores.settings.search_url
    return None if url is None else _opened(url)


@functools.lru_cache(maxsize=1)
def _opened(url: str) -> SearchIndex:
    try:
        return open_search(url)
    except ValueError as error:
        raise SettingsError(str(error)) from error
