"""Search on real stores: found in the index, kept in Valkey for a minute, by symbol alone while the
engine is away; and how what is listed, renamed or delisted comes into it."""

import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge.relay.listings import ListingsDrain
from functions.search import handler as search
from functions.search import keep_index
from functions.shared.access.throttle import SEARCH
from functions.shared.domain.errors import Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.stores.listing_changes import ListingChanges
from functions.shared.stores.listings import NewShare, list_share
from functions.shared.stores.postgres import Database
from functions.shared.stores.streams import Delivered, Record, Streams
from functions.shared.wire.quotes import Quote, encode_record, encode_value, quote_key
from infra.local.consumer import kinesis_event
from infra.local.postgres import OWNER
from tests.support.api_events import Answer, api_event, call
from tests.support.postgres import ShardsUnderTest
from tests.support.valkey import ValkeyUnderTest

SHARE = NewShare("NEWCO", "Brand New Company Limited", "", "Energy", 500, 1, 20, 2_500_000)


class Taken(Streams):
    """A bus that holds what is appended; nothing here reads it."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, stream: str, records: Sequence[Record]) -> None:
        assert stream == "listings.0"
        self.records += records


class Listed:
    """The way of a change: shard 0, relay, stream, function."""

    def __init__(self, edge_url: str, owner_url: str) -> None:
        self.edge = Database(edge_url, "test")
        self.owner = Database(owner_url, "test")
        self.streams = Taken()
        self._drain = ListingsDrain(ListingChanges(self.edge), self.streams, lambda: True)

    def hand_on(self) -> list[str]:
        """The records that failed."""
        while self._drain.drain_once():
            pass
        records = [
            Delivered(str(number), record.key, record.data, 0)
            for number, record in enumerate(self.streams.records)
        ]
        answer = keep_index.lambda_handler(kinesis_event("listings.0", records), None)
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        if not failed:
            self.streams.records.clear()
        return failed

    def change(self, sql: str) -> None:
        self.owner.run(sql)
        assert self.hand_on() == []


@pytest.fixture
def listed(
    module_databases: ShardsUnderTest, edge_urls: list[str], stores: Stores
) -> Iterator[Listed]:
    keep_index.mend(stores)
    made = Listed(edge_urls[0], module_databases.urls(OWNER)[0])
    yield made
    made.owner.run("DELETE FROM market.instrument WHERE token BETWEEN 800001 AND 899999")
    made.edge.close()
    made.owner.close()


def find(q: str, **options: str) -> Answer:
    return call(search.lambda_handler, api_event("GET", f"/v1/search?{q}", **options))


def symbols(q: str) -> list[str]:
    answer = find(q)
    assert answer.status == 200
    return [hit["symbol"] for hit in answer.body["items"]]


def quote(stores: Stores, symbol: str, ltp: int, volume: int = 1) -> None:
    made = Quote(
        symbol=symbol, token=1, seq=1, timestamp_ms=1, ltp=ltp, last_quantity=1, open=ltp,
        high=ltp, low=ltp, close=ltp, volume=volume, average=ltp, levels=(0,) * 30,
    )  # fmt: skip
    stores.valkey.set(quote_key(symbol), encode_value(encode_record(made)))


@pytest.mark.usefixtures("listed")
def test_an_answer_has_the_last_price_also_when_it_was_kept(stores: Stores) -> None:
    quote(stores, "RELIANCE", 14_123_500)
    answer = find("q=rel")
    assert answer.status == 200
    assert answer.body["items"][0] == {
        "symbol": "RELIANCE",
        "name": "Reliance Industries Limited",
        "exchange": "NSE",
        "token": 1001,
        "sector": "Energy",
        "kind": "EQUITY",
        "ltp": "1412.35",
    }
    assert answer.body["degraded"] is False
    quote(stores, "RELIANCE", 14_130_000)
    assert find("q=rel").body["items"][0]["ltp"] == "1413.00"
    stores.valkey.delete(quote_key("RELIANCE"))
    assert find("q=rel").body["items"][0]["ltp"] is None


@pytest.mark.usefixtures("listed")
def test_pages_go_on_where_the_last_one_ended(stores: Stores) -> None:
    seen: list[str] = []
    answer = find("q=bank&limit=3")
    while True:
        seen += [hit["symbol"] for hit in answer.body["items"]]
        if answer.body["next"] is None:
            break
        answer = find(f"q=bank&limit=3&cursor={answer.body['next']}")
    assert seen == symbols("q=bank&limit=50")
    assert len(seen) > 3
    assert find("q=%26&limit=3").body["items"] == []


@pytest.mark.parametrize(
    "query",
    ["", "q=", "q=" + "x" * 65, "q=a&limit=51", "q=a&limit=-1", "q=a&cursor=9-1", "q=a&cursor=x",
     "q=a&cursor=1-99999999999999999999"],
)  # fmt: skip
def test_a_malformed_search_is_a_400(stores: Stores, query: str) -> None:
    assert find(query).status == 400


def test_what_is_traded_most_stands_first_from_the_next_trade_date_on(
    stores: Stores, listed: Listed
) -> None:
    assert symbols("q=icicib")[0] == "ICICIBANK"
    before = symbols("q=limited")
    quote(stores, before[-1], 10_000_000, volume=9_000_000)
    assert symbols("q=limited") == before
    stores.valkey.set("{search}:built", "2020-01-01")
    assert keep_index.each_minute({}, None)["indexed"] > 40
    assert symbols("q=limited")[0] == before[-1]
    assert keep_index.each_minute({}, None) == {"changed": 0, "indexed": 0, "listed": 0}


def test_a_listing_a_renaming_and_a_delisting_are_searched_once_they_are_handed_on(
    stores: Stores, listed: Listed
) -> None:
    listed.hand_on()
    assert symbols("q=newco") == []  # kept, until the index changes
    token = list_share(listed.edge, SHARE).token
    assert listed.hand_on() == []
    assert symbols("q=newco") == symbols("q=brand+new") == ["NEWCO"]

    listed.change(
        "UPDATE market.instrument SET symbol = 'ODDCO', name = 'Odd Limited' WHERE symbol = 'NEWCO'"
    )
    assert symbols("q=oddc") == symbols("q=newco") == ["ODDCO"]
    assert find("q=odd").body["items"][0]["token"] == token

    assert list_share(listed.edge, SHARE).token != token  # the old symbol is another's now
    assert listed.hand_on() == []
    assert symbols("q=newco") == ["ODDCO", "NEWCO"]  # the older first, as either was called so

    listed.change("DELETE FROM market.instrument WHERE symbol = 'ODDCO'")
    assert symbols("q=newco") == ["NEWCO"]
    listed.change("DELETE FROM market.instrument WHERE symbol = 'NEWCO'")
    assert symbols("q=newco") == []
    listed.change("UPDATE market.instrument SET tick = tick WHERE symbol = 'TCS'")
    assert listed.edge.run("SELECT count(*) FROM market.listing_change") == [[0]]


def test_a_change_waits_for_the_stores_and_comes_in_again_without_harm(
    stores: Stores, listed: Listed, valkey: ValkeyUnderTest
) -> None:
    listed.hand_on()
    list_share(listed.edge, SHARE)
    valkey.stop(signal.SIGKILL)
    assert listed.hand_on() == ["0"]
    valkey.start()
    keep_index.mend(stores)  # what the killed one had kept is gone
    again = list(listed.streams.records)
    assert listed.hand_on() == []
    listed.streams.records = [*again, Record("1", b"{unreadable"), *again]
    assert listed.hand_on() == []
    assert symbols("q=newco") == ["NEWCO"]


def test_without_the_engine_symbols_are_found_by_their_beginning_and_the_answer_says_so(
    stores: Stores, listed: Listed, tmp_path: Path
) -> None:
    listed.hand_on()
    list_share(listed.edge, SHARE)
    listed.hand_on()
    quote(stores, "NEWCO", 20_000)
    shutil.rmtree(tmp_path / "search")
    answer = find("q=newc")
    assert (answer.body["degraded"], answer.body["next"]) == (True, None)
    assert [(hit["symbol"], hit["ltp"]) for hit in answer.body["items"]] == [("NEWCO", "2.00")]
    assert symbols("q=m%26m") == ["M&M", "M&MFIN", "MMTC"]
    assert symbols("q=brand") == []
    assert len(symbols("q=t&limit=2")) == 2

    keep_index.mend(stores)
    assert find("q=brand").body["degraded"] is False
    assert symbols("q=brand")[0] == "NEWCO"


def test_without_valkey_the_engine_alone_answers_and_without_both_nobody(
    stores: Stores, listed: Listed, valkey: ValkeyUnderTest, tmp_path: Path
) -> None:
    valkey.stop(signal.SIGKILL)
    answer = find("q=rel")
    assert (answer.status, answer.body["items"][0]["ltp"]) == (200, None)
    shutil.rmtree(tmp_path / "search")
    assert find("q=rel").status == 503
    with pytest.raises(Retryable):
        keep_index.mend(stores)


@pytest.mark.usefixtures("listed")
def test_a_flood_of_searches_from_one_address_is_slowed(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = replace(SEARCH, size=5, every_ms=60_000)  # or a slow machine never floods it
    monkeypatch.setattr(search, "SEARCH", slow)
    assert [find("q=rel").status for _ in range(6)] == [200] * 5 + [429]
    assert find("q=rel", address="198.51.100.8").status == 200
