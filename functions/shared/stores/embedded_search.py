"""The search index on this machine's disk, by tantivy: any process reads it, one at a time writes.

    FOLDER/current        names the generation that is searched
    FOLDER/generation-N/  an index of tantivy's
    FOLDER/writing        locked by who writes

Each beginning of a word, a symbol and a name is a term, so that what begins so is one look-up.

Invariant: a reader looks before each search whether what it reads is still the last that was
committed, so that a change is found by the first search after it.
"""

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tantivy
from tantivy import Occur, Order, Query

from functions.shared.domain.errors import Retryable
from functions.shared.domain.search_terms import Asked, beginnings_of, typos_forgiven
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

_TERMS: Final = ("id", "exact", "symbol", "name", "words")
#: The least tantivy takes, enough for a batch of changes; and what keeps a rebuilt index of 100,000
#: in one segment, since a search walks each of them.
_WRITER_BYTES: Final = 15_000_000
_REBUILD_BYTES: Final = 256_000_000
_Stamp = tuple[int, int]


def _make_schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in _TERMS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("rank", indexed=True, fast=True)
    builder.add_unsigned_field("version", fast=True)
    builder.add_bytes_field("found", stored=True)
    return builder.build()


class EmbeddedSearch:
    """Reads and writes the index in one folder, which is made when something is first written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = _make_schema()
        self._opened: tuple[_Stamp, Path, Any] | None = None
        self._read: _Stamp | None = None

    def find(self, asked: Asked, limit: int, after: Place | None = None) -> Page:
        with _failing_as_retryable():
            searcher = self._index().searcher()
            hits: list[tuple[Place, Any]] = []
            before: list[Any] = []
            for match, query in self._by_match(asked).items():
                if after is None or after.match <= match:
                    rank = after.rank if after is not None and after.match == match else None
                    narrowed = self._narrowed(query, before, rank)
                    wanted = limit + 1 - len(hits)
                    found = searcher.search(
                        narrowed, wanted, count=False, order_by_field="rank", order=Order.Desc
                    )
                    hits += [(Place(match, rank), where) for rank, where in found.hits]
                if len(hits) > limit:
                    break
                before.append(query)
            page = hits[:limit]
            return Page(
                hits=tuple(_found_in(searcher, where) for _, where in page),
                after=page[-1][0] if len(hits) > limit else None,
            )

    def apply(self, changes: Sequence[Listing | Delisted]) -> None:
        with self._writing(), _failing_as_retryable():
            index = self._index()
            searcher = index.searcher()
            writer = index.writer(_WRITER_BYTES, 1)
            # The last state of each token, as the versions have it.
            for change in {c.token: c for c in sorted(changes, key=lambda c: c.version)}.values():
                if self._version_of(searcher, change.token) <= change.version:
                    writer.delete_documents_by_term("id", str(change.token))
                    writer.add_document(_document(change))
            writer.commit()
            writer.wait_merging_threads()

    def rebuild(self, listings: Iterable[Listing]) -> None:
        with self._writing(), _failing_as_retryable():
            name, current = f"generation-{uuid.uuid4().hex}", self._folder / "current"
            made = self._folder / name
            # What is current now stays until the next rebuild: a reader may be about to open it.
            kept = {name, current.read_text() if current.exists() else name}
            made.mkdir()
            try:
                writer = tantivy.Index(self._schema, path=str(made)).writer(_REBUILD_BYTES, 1)
                for listing in listings:
                    writer.add_document(_document(listing))
                writer.commit()
                writer.wait_merging_threads()
                _put(current, name)
            except BaseException:
                shutil.rmtree(made)
                raise
            for other in self._folder.glob("generation-*"):
                if other.name not in kept:
                    shutil.rmtree(other)

    def is_built(self) -> bool:
        return (self._folder / "current").exists()

    def close(self) -> None:
        self._opened = None

    def _index(self) -> Any:
        """The index as last committed. Raises OSError or ValueError when there is none."""
        current = self._folder / "current"
        stamp = _stamp(current)
        if self._opened is None or self._opened[0] != stamp:
            path = self._folder / current.read_text()
            index = tantivy.Index.open(str(path))
            index.config_reader(reload_policy="manual")
            self._opened, self._read = (stamp, path, index), None
        _, path, index = self._opened
        committed = _stamp(path / "meta.json")
        if committed != self._read:
            index.reload()
            self._read = committed
        return index

    def _by_match(self, asked: Asked) -> Mapping[Match, Any]:
        """What each kind of match asks the index for."""
        queries = {
            Match.EXACT: self._is("exact", asked.whole),
            Match.SYMBOL: self._is("symbol", asked.whole),
            Match.NAME: self._is("name", asked.whole),
            Match.WORDS: _all(self._is("words", word) for word in asked.words),
        }
        if any(typos_forgiven(word) for word in asked.words):
            queries[Match.TYPOS] = _all(self._nearly_is("words", word) for word in asked.words)
        return queries

    def _is(self, field: str, text: str) -> Any:
        return Query.term_query(self._schema, field, text, "basic")

    def _nearly_is(self, field: str, text: str) -> Any:
        # Not tantivy's own search by prefix: with two typos it misses some (0.27).
        typos = typos_forgiven(text)
        return Query.fuzzy_term_query(self._schema, field, text, typos, transposition_cost_one=True)

    def _narrowed(self, query: Any, before: Sequence[Any], below: int | None) -> Any:
        """The query without what matched better, below a rank."""
        parts = [(Occur.Must, query), *((Occur.MustNot, better) for better in before)]
        if below is not None:
            kind = tantivy.FieldType.Unsigned
            ranks = Query.range_query(
                self._schema, "rank", kind, lower_bound=0, upper_bound=below, include_upper=False
            )
            parts.append((Occur.Must, ranks))
        return Query.boolean_query(parts)

    def _version_of(self, searcher: Any, token: int) -> int:
        """The version that is in the index; -1 without one."""
        hits = searcher.search(
            self._is("id", str(token)), 1, count=False, order_by_field="version"
        ).hits
        return int(hits[0][0]) if hits else -1

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Holds the folder's lock. Raises Retryable when another process writes."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "writing").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Retryable("another process writes the search index") from error
            yield


def _document(state: Listing | Delisted) -> Any:
    """A delisted instrument keeps a document without terms: its version is what counts."""
    document = tantivy.Document()
    document.add_text("id", str(state.token))
    document.add_unsigned("version", state.version)
    if isinstance(state, Delisted):
        document.add_unsigned("rank", 0)
        return document
    fields = fields_of(state)
    document.add_unsigned("rank", fields.rank)
    terms = {
        "exact": fields.exact,
        "symbol": beginnings_of(fields.symbol),
        "name": beginnings_of(fields.name),
        "words": {text for word in fields.words for text in beginnings_of(word)},
    }
    for field, texts in terms.items():
        for text in texts:
            document.add_text(field, text)
    document.add_bytes("found", encode_found(state.found))
    return document


def _found_in(searcher: Any, where: Any) -> Found:
    return decode_found(searcher.doc(where)["found"][0])


def _all(queries: Iterable[Any]) -> Any:
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


def _put(path: Path, text: str) -> None:
    """Writes the file in the place of the old one, as a whole and on disk."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextlib.contextmanager
def _failing_as_retryable() -> Iterator[None]:
    """tantivy raises ValueError for whatever fails below it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise Retryable(f"the search index did not answer: {error}") from error
