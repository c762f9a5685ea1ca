"""What every engine of the search does, told by one suite: embedded, and on the OpenSearch at
OPENSEARCH_URL when there is one."""

import os
import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.domain.search_terms import Asked, asked_for, typos_forgiven
from functions.shared.stores.search import SearchIndex, open_search
from functions.shared.stores.search_documents import (
    Delisted,
    Found,
    Listing,
    Match,
    Place,
    fields_of,
    rank_of,
)

SERVER = os.environ.get("OPENSEARCH_URL")
#: Opens the same index once more, as another process would.
Opening = Callable[[], SearchIndex]
ENGINES = ["embedded", *(["opensearch"] if SERVER else [])]


def listing(token: int, symbol: str, name: str, cap: int = 0, **more: object) -> Listing:
    found = Found(
        token=token, exchange="NSE", symbol=symbol, name=name, sector="Any", kind="EQUITY"
    )
    facts = {"version": token, "market_cap": cap, **more}
    return Listing(found=found, **facts)  # type: ignore[arg-type]


SHARES = (
    listing(1, "RELIANCE", "Reliance Industries Limited", 1_900_000, isin="INE002A01018"),
    listing(2, "HDFCBANK", "HDFC Bank Limited", 1_500_000),
    listing(3, "ICICIBANK", "ICICI Bank Limited", 1_000_000),
    listing(4, "SBIN", "State Bank of India", 900_000),
    listing(5, "M&M", "Mahindra & Mahindra Limited", 400_000),
    listing(6, "M&MFIN", "Mahindra & Mahindra Financial Services Limited", 40_000),
    listing(7, "BAJAJ-AUTO", "Bajaj Auto Limited", 250_000),
    listing(8, "ETERNAL", "Eternal Limited", 280_000, former=("ZOMATO", "Zomato Limited")),
    listing(9, "RELINFRA", "Reliance Infrastructure Limited", 10_000),
    listing(10, "RPOWER", "Reliance Power Limited", 16_000),
    listing(11, "BANKINDIA", "Bank of India", 60_000),
    listing(12, "BANKA", "Banka BioLoo Limited", 0, turnover=5),
    listing(13, "BANKB", "Banka Beta Limited", 0, turnover=900_000),
    listing(14, "NESTLE", "Nestlé India Limited", 230_000),
)  # fmt: skip


@pytest.fixture(params=ENGINES)
def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    opened: list[SearchIndex] = []
    name = f"suite-{uuid.uuid4().hex}"
    url = f"{SERVER}/{name}" if request.param == "opensearch" else f"file://{tmp_path / 'search'}"

    def another() -> SearchIndex:
        opened.append(open_search(url))
        return opened[-1]

    yield another
    for index in opened:
        index.close()
    if request.param == "opensearch":
        from functions.shared.stores.opensearch import OpenSearch

        last = open_search(url)
        assert isinstance(last, OpenSearch)
        last.remove()
        last.close()


@pytest.fixture
def index(open_index: Opening) -> SearchIndex:
    made = open_index()
    made.rebuild(SHARES)
    return made


def find(index: SearchIndex, query: str, limit: int = 10) -> list[str]:
    asked = asked_for(query)
    assert asked is not None
    return [hit.symbol for hit in index.find(asked, limit).hits]


def test_a_share_is_found_however_it_is_written(index: SearchIndex) -> None:
    for query in ("M&M", "m&m", "mm", "M & M"):
        assert find(index, query)[:2] == ["M&M", "M&MFIN"], query
    for query in ("bajaj auto", "BAJAJ-AUTO", "bajajau", "auto baj"):
        assert find(index, query)[0] == "BAJAJ-AUTO", query
    assert find(index, "nestlé") == find(index, "NESTLE") == ["NESTLE"]
    assert find(index, "INE002A01018") == ["RELIANCE"]
    assert find(index, "zomato") == ["ETERNAL"]
    assert find(index, "ban ind") == ["SBIN", "BANKINDIA"]


def test_the_better_match_stands_first_then_the_larger_company(index: SearchIndex) -> None:
    # Symbols that begin so, names that begin so, then any word of the name.
    assert find(index, "bank") == [
        "BANKINDIA", "BANKB", "BANKA", "HDFCBANK", "ICICIBANK", "SBIN",
    ]  # fmt: skip
    assert find(index, "relia") == ["RELIANCE", "RPOWER", "RELINFRA"]
    assert find(index, "r")[:3] == ["RELIANCE", "RPOWER", "RELINFRA"]
    # A symbol typed in full stands before the larger companies, and those before the typos.
    assert find(index, "banka") == ["BANKA", "BANKB", "HDFCBANK", "ICICIBANK", "SBIN", "BANKINDIA"]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("relaince", "RELIANCE"),  # swapped
        ("relianc industires", "RELIANCE"),
        ("hdfcbnk", "HDFCBANK"),  # missing
        ("mahindraa", "M&M"),  # too many
        ("ststebank", None),  # a gap is no typo: no word begins so
        ("stste bank", "SBIN"),  # wrong
        ("rel1an", "RELIANCE"),  # a typo in the beginning of a word
        ("baj auti", "BAJAJ-AUTO"),
    ],
)
def test_typos_are_forgiven(index: SearchIndex, query: str, first: str | None) -> None:
    assert (find(index, query) or [None])[0] == first


def test_nothing_is_guessed_of_a_short_word_or_beyond_two_typos(index: SearchIndex) -> None:
    assert find(index, "sbl") == []
    assert find(index, "rxlixnxe") == []
    assert find(index, "reliance xyz") == []


def test_pages_follow_each_other_without_a_gap_whatever_they_match(index: SearchIndex) -> None:
    asked = asked_for("bank")
    assert asked is not None
    whole = find(index, "bank", 50)
    for size in (1, 2, 4, len(whole)):
        seen: list[str] = []
        after: Place | None = None
        for _ in range(len(whole) + 1):
            page = index.find(asked, size, after)
            seen += [hit.symbol for hit in page.hits]
            after = page.after
            if after is None:
                break
            assert Place.parse(after.cursor()) == after
        assert seen == whole


def test_a_listing_a_renaming_and_a_delisting_are_found_by_the_next_search(
    index: SearchIndex, open_index: Opening
) -> None:
    reader = open_index()
    assert find(reader, "newco") == []
    index.apply([listing(20, "NEWCO", "New Company Limited", version=21)])
    assert find(reader, "newco") == ["NEWCO"]
    index.apply([listing(20, "NEUCO", "Neu Company Limited", version=22, former=("NEWCO",))])
    assert find(reader, "neu") == find(reader, "newco") == ["NEUCO"]
    assert reader.find(asked_for("newco"), 1).hits[0].name == "Neu Company Limited"  # type: ignore[arg-type]
    index.apply([Delisted(20, 23)])
    assert find(reader, "newco") == find(reader, "neuco") == []


def test_an_older_state_never_replaces_a_newer_one(index: SearchIndex) -> None:
    newer = listing(20, "LATER", "Later Company Limited", version=22)
    older = listing(20, "FIRST", "First Company Limited", version=21)
    index.apply([newer])
    index.apply([older, Delisted(20, 20)])
    assert (find(index, "later"), find(index, "first")) == (["LATER"], [])
    index.apply([Delisted(20, 25)])
    index.apply([newer])
    assert find(index, "later") == []
    index.apply([Delisted(20, 27), listing(20, "THIRD", "Third", version=28)])
    assert find(index, "third") == ["THIRD"]


def test_a_rebuilt_index_takes_the_place_of_the_old_one(
    index: SearchIndex, open_index: Opening
) -> None:
    reader = open_index()
    assert find(reader, "sbin") == ["SBIN"]

    def half() -> Iterator[Listing]:
        yield SHARES[0]
        assert find(reader, "sbin") == ["SBIN"]
        raise Retryable("the master does not answer")

    with pytest.raises(Retryable):
        index.rebuild(half())
    assert find(reader, "sbin") == ["SBIN"]
    index.rebuild([SHARES[0]])
    assert (find(reader, "sbin"), find(reader, "reliance")) == ([], ["RELIANCE"])
    index.apply([SHARES[3]])
    assert find(reader, "sbin") == ["SBIN"]


def test_an_index_that_was_never_built_is_away(open_index: Opening) -> None:
    index = open_index()
    assert not index.is_built()
    with pytest.raises(Retryable):
        find(index, "reliance")
    with pytest.raises(Retryable):
        index.apply([SHARES[0]])
    assert not index.is_built()
    index.rebuild(())
    assert index.is_built()
    assert find(index, "reliance") == []


def nearly_begins(word: str, text: str, typos: int) -> bool:
    """Whether some beginning of a word is the text but for so many typos, a swap of neighbours
    being one (optimal string alignment)."""
    rows = [list(range(len(word) + 1))]
    for i, letter in enumerate(text, 1):
        row = [i]
        for j, other in enumerate(word, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == word[j - 2] and text[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return min(rows[-1]) <= typos


def match_of(share: Listing, asked: Asked) -> Match | None:
    fields = fields_of(share)
    if asked.whole in fields.exact:
        return Match.EXACT
    if fields.symbol.startswith(asked.whole):
        return Match.SYMBOL
    if fields.name.startswith(asked.whole):
        return Match.NAME
    if all(any(word.startswith(w) for word in fields.words) for w in asked.words):
        return Match.WORDS
    near = (
        any(nearly_begins(word, w, typos_forgiven(w)) for word in fields.words) for w in asked.words
    )
    return Match.TYPOS if all(near) else None


def test_an_engine_answers_as_looking_at_each_share_would(open_index: Opening) -> None:
    """Names of few letters, so that much is alike, asked for by their beginnings with typos."""
    chance = random.Random(20261123)

    def word() -> str:
        return "".join(chance.choices("abe", k=chance.randint(1, 11)))

    shares = [
        listing(n, word().upper(), f"{word()} {word()}", chance.choice((0, 7)), turnover=n % 40)
        for n in range(1, 150)
    ]
    index = open_index()
    index.rebuild(shares)
    matched: set[Match] = set()
    for _ in range(100):
        words = [chance.choice(shares).found.name.split()[0] for _ in range(chance.randint(1, 2))]
        letters = list(" ".join(words))
        place = chance.randrange(len(letters))
        letters[place : place + 2] = chance.choice(
            (letters[place : place + 2][::-1], [], ["b"], ["b", *letters[place : place + 2]])
        )
        asked = asked_for("".join(letters))
        if asked is None:
            continue
        expected = sorted(
            (match, -rank_of(share), share.found.symbol)
            for share in shares
            if (match := match_of(share, asked)) is not None
        )
        matched |= {match for match, _, _ in expected}
        hits = index.find(asked, 50).hits
        assert [hit.symbol for hit in hits] == [symbol for _, _, symbol in expected[:50]], asked
    assert matched == set(Match)
