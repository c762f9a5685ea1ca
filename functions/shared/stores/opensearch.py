"""The search index on an OpenSearch, searched through an alias.

Invariant: an index is filled under a name of its own, and the alias moves to it in one step. One
rebuild runs at a time (the function's reserved concurrency). OpenSearch itself refuses an older
version of a document.
"""

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from opensearchpy import (
    AWSV4SignerAuth,
    NotFoundError,
    OpenSearchException,
    RequestsHttpConnection,
    Urllib3HttpConnection,
)
from opensearchpy import (
    OpenSearch as Client,
)

from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.search_terms import WHOLE_LETTERS, Asked, typos_forgiven
from functions.shared.stores.search_documents import (
    Delisted,
    Found,
    Listing,
    Match,
    Page,
    Place,
    decode_found,
    encode_found,
    fields_of,
)

#: A search that takes longer is answered from Valkey, marked as degraded.
FIND_SECONDS: Final = 0.5
_WRITE_SECONDS: Final = 30
_BATCH: Final = 1_000
_NAME: Final = "outcry-instruments"
_CONFLICT: Final = 409

_BEGINNINGS: Final = {"type": "text", "analyzer": "beginnings", "norms": False}
#: Index template of every generation: each text is one term and all its beginnings.
TEMPLATE: Final[dict[str, Any]] = {
    "settings": {
        "number_of_shards": 1,  # 100,000 instruments are a few megabytes
        "auto_expand_replicas": "0-2",
        "analysis": {
            "filter": {"beginnings": {"type": "edge_ngram", "max_gram": WHOLE_LETTERS}},
            "analyzer": {
                "beginnings": {"type": "custom", "tokenizer": "keyword", "filter": ["beginnings"]}
            },
        },
    },
    "mappings": {
        "dynamic": "strict",
        "properties": {
            "exact": {"type": "keyword"},
            "symbol": _BEGINNINGS,
            "name": _BEGINNINGS,
            "words": _BEGINNINGS,
            "rank": {"type": "long"},
            "found": {"type": "keyword", "index": False, "doc_values": False},
        },
    },
}


class _Address(NamedTuple):
    """`region`: None where requests aren't signed."""

    server: str
    name: str
    region: str | None


def open_opensearch(url: str) -> "OpenSearch":
    """An index on that server. Raises ValueError for an address without a host."""
    address = _parse(url)
    if address.region is None:
        client = Client(address.server, connection_class=Urllib3HttpConnection, max_retries=0)
    else:
        import boto3  # where requests are signed, and nowhere else

        credentials = boto3.Session().get_credentials()
        client = Client(
            address.server,
            http_auth=AWSV4SignerAuth(credentials, address.region, "es"),
            connection_class=RequestsHttpConnection,
            max_retries=0,
        )
    return OpenSearch(client, address.name)


class OpenSearch:
    """The index behind one alias."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def find(self, asked: Asked, limit: int, after: Place | None = None) -> Page:
        """What matches as it is written is asked for first: looking for typos is the dear part."""
        queries = _by_match(asked)
        written = [match for match in queries if match is not Match.TYPOS]
        page = Page(hits=())
        if after is None or after.match is not Match.TYPOS:
            page = self._page([queries[match] for match in written], limit, after)
        if page.after is None and Match.TYPOS in queries:
            page = self._page(list(queries.values()), limit, after)
        return page

    def apply(self, changes: Sequence[Listing | Delisted]) -> None:
        ordered = sorted(changes, key=lambda change: change.version)
        with _failing_as_retryable():
            self._write(self._name, ordered, refresh=True, alias=True)

    def rebuild(self, listings: Iterable[Listing]) -> None:
        made = f"{self._name}-{uuid.uuid4().hex}"
        indices = self._client.indices
        with _failing_as_retryable():
            indices.put_index_template(
                name=self._name,
                body={"index_patterns": [f"{self._name}-*"], "template": TEMPLATE},
            )
            indices.create(index=made)
            try:
                rest = iter(listings)
                while batch := list(islice(rest, _BATCH)):
                    self._write(made, batch, refresh=False, alias=False)
                indices.refresh(index=made, params={"request_timeout": _WRITE_SECONDS})
                old = set(indices.get(index=f"{self._name}-*")) - {made}  # a killed rebuild's, too
                remove = [
                    {"remove": {"index": name, "alias": self._name}} for name in self._indices()
                ]
                add = {"add": {"index": made, "alias": self._name}}
                indices.update_aliases(body={"actions": [*remove, add]})
            except BaseException:
                indices.delete(index=made)
                raise
            for name in old:
                indices.delete(index=name)

    def is_built(self) -> bool:
        with _failing_as_retryable():
            return bool(self._client.indices.exists_alias(name=self._name))

    def remove(self) -> None:
        """The index, its template and all: for tests, which leave nothing behind."""
        for name in self._indices():
            self._client.indices.delete(index=name)
        with contextlib.suppress(NotFoundError):
            self._client.indices.delete_index_template(name=self._name)

    def close(self) -> None:
        self._client.close()

    def _indices(self) -> list[str]:
        """What the alias names."""
        try:
            return list(self._client.indices.get_alias(name=self._name))
        except NotFoundError:
            return []

    def _page(self, queries: Sequence[Any], limit: int, after: Place | None) -> Page:
        body: dict[str, Any] = {
            "query": {"dis_max": {"queries": queries}},
            "sort": [{"_score": "desc"}, {"rank": "desc"}],
            "size": limit + 1,
            "track_total_hits": False,
            "_source": ["found"],
        }
        if after is not None:
            body["search_after"] = [_score(Match(after.match)), after.rank]
        with _failing_as_retryable():
            answer = self._client.search(
                index=self._name, body=body, params={"request_timeout": FIND_SECONDS}
            )
            if answer["_shards"]["failed"]:
                raise Retryable("the search index did not answer whole")
            hits = answer["hits"]["hits"]
            places = [Place(_match(hit["sort"][0]), int(hit["sort"][1])) for hit in hits[:limit]]
            return Page(
                hits=tuple(_found_in(hit) for hit in hits[:limit]),
                after=places[-1] if len(hits) > limit else None,
            )

    def _write(
        self, index: str, states: Iterable[Listing | Delisted], *, refresh: bool, alias: bool
    ) -> None:
        """Raises Retryable when any of them was not taken; an older version needs not be."""
        lines: list[dict[str, Any]] = []
        for state in states:
            lines += [{"index": _target(index, state)}, _document(state)]
        if not lines:
            return
        params: dict[str, Any] = {
            "request_timeout": _WRITE_SECONDS,
            "refresh": str(refresh).lower(),
        }
        if alias:
            params["require_alias"] = "true"
        answer = self._client.bulk(body=lines, params=params)
        refused = [
            item["index"]
            for item in answer["items"]
            if item["index"]["status"] >= 300 and item["index"]["status"] != _CONFLICT
        ]
        if refused:
            raise Retryable(f"the search index refused {len(refused)}: {refused[0]['error']}")


def _by_match(asked: Asked) -> dict[Match, Any]:
    """A query of each kind of match, which scores it."""
    words = [_begins("words", word) for word in asked.words]
    queries = {
        Match.EXACT: {"term": {"exact": asked.whole}},
        Match.SYMBOL: _begins("symbol", asked.whole),
        Match.NAME: _begins("name", asked.whole),
        Match.WORDS: {"bool": {"filter": words}},
    }
    if any(typos_forgiven(word) for word in asked.words):
        nearly = [_nearly_begins("words", word, typos_forgiven(word)) for word in asked.words]
        queries[Match.TYPOS] = {"bool": {"filter": nearly}}
    return {
        match: {"constant_score": {"filter": query, "boost": _score(match)}}
        for match, query in queries.items()
    }


def _begins(field: str, text: str) -> dict[str, Any]:
    return {"term": {field: text}}


def _nearly_begins(field: str, text: str, typos: int) -> dict[str, Any]:
    if not typos:
        return _begins(field, text)
    # Of the beginnings one is near: no beginning that is may be left out for there being many.
    near = {"value": text, "fuzziness": typos, "transpositions": True, "rewrite": "constant_score"}
    return {"fuzzy": {field: near}}


def _score(match: Match) -> float:
    return float(len(Match) - match)


def _match(score: float) -> Match:
    return Match(len(Match) - round(score))


def _target(index: str, state: Listing | Delisted) -> dict[str, Any]:
    own = {"version": state.version, "version_type": "external_gte"}
    return {"_index": index, "_id": str(state.token), **own}


def _document(state: Listing | Delisted) -> dict[str, Any]:
    """A delisted instrument keeps a document without terms: its version is what counts."""
    if isinstance(state, Delisted):
        return {"rank": 0}
    fields = fields_of(state)
    return {
        "exact": fields.exact,
        "symbol": fields.symbol,
        "name": fields.name,
        "words": fields.words,
        "rank": fields.rank,
        "found": encode_found(state.found).decode(),
    }


def _found_in(hit: dict[str, Any]) -> Found:
    return decode_found(hit["_source"]["found"].encode())


def _parse(url: str) -> _Address:
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("OUTCRY_SEARCH_URL has no host")
    name = parts.path.strip("/")
    if parts.scheme != "opensearch":
        return _Address(urlunsplit((*parts[:2], "", "", "")), name or _NAME, None)
    host, _, own = name.partition("/")
    return _Address(f"https://{host}:443", own or _NAME, parts.hostname)


@contextlib.contextmanager
def _failing_as_retryable() -> Iterator[None]:
    try:
        yield
    except (OpenSearchException, PeerProtocolError, KeyError) as error:
        why = type(error).__name__
        raise Retryable(f"the search index did not answer: {why}") from error
