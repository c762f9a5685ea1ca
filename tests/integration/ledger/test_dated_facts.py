"""Instruments' facts by date: lists taken in, tried dry, and facts that wait for their day."""

from collections.abc import Iterator
from datetime import date

import pytest

from functions.shared.domain.errors import InvariantViolated
from functions.shared.domain.orders import Product
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.listing_changes import apply_dated_facts, every_listing, states_of
from functions.shared.stores.postgres import Database
from infra.command.instrument_files import Fact
from infra.command.instruments import Told, note_kind, take_in
from infra.local.postgres import APPLICATION, OWNER
from infra.local.seed import seed_instruments
from tests.support.postgres import ShardsUnderTest

TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
NEW: dict[str, Fact] = {
    "symbol": "NEWCO", "name": "New Company Limited", "isin": "INE999A01015", "series": "BE",
    "lot": 1, "tick": 500, "listed_on": "2026-11-23",
}  # fmt: skip


class Master:
    """The instrument master of one shard 0."""

    def __init__(self, databases: ShardsUnderTest) -> None:
        self.owner_urls = databases.urls(OWNER)
        self.owner = Database(self.owner_urls[0], "test")
        self.app = Database(databases.urls(APPLICATION)[0], "test")

    def take(
        self, *rows: dict[str, Fact], on: date = TODAY, dry_run: bool = False
    ) -> list[tuple[str, str]]:
        told = take_in(self.owner, rows, TODAY, on, "a list", dry_run=dry_run)
        return [(one.outcome, one.detail) for one in told]

    def __getitem__(self, symbol: str) -> object:
        return InstrumentMaster(self.app).get(symbol)

    def changes(self) -> list[list[object]]:
        rows = self.owner.run("SELECT kind, symbol FROM market.listing_change ORDER BY version")
        self.owner.run("DELETE FROM market.listing_change")
        return rows


@pytest.fixture
def master(databases: ShardsUnderTest) -> Iterator[Master]:
    made = Master(databases)
    made.changes()
    yield made
    made.owner.close()
    made.app.close()


def test_a_list_lists_changes_and_renames_and_a_second_time_does_nothing(master: Master) -> None:
    rows: list[dict[str, Fact]] = [
        NEW,
        {"symbol": "TCS", "sector": "Software", "market_cap": 1_100_000},
        {"symbol": "OILNGAS", "name": "Oil and Natural Gas Limited", "isin": "INE213A01029"},
        {"symbol": "ITC", "lot": 1},
        {"symbol": "NOBODY", "lot": 5},
    ]
    before = master["NEWCO"], master["TCS"], master["ONGC"]
    outcomes = [
        ("LISTED", ""), ("CHANGED", ""), ("RENAMED", "was ONGC"), ("UNCHANGED", ""),
        ("REFUSED", "not listed yet, and to list it takes its name, ISIN, series, lot and tick"),
    ]  # fmt: skip
    assert master.take(*rows, dry_run=True) == outcomes
    assert (master["NEWCO"], master["TCS"], master["ONGC"]) == before
    assert master.changes() == []

    assert master.take(*rows) == outcomes
    listed, tcs = InstrumentMaster(master.app).get("NEWCO"), InstrumentMaster(master.app).get("TCS")
    assert listed is not None
    assert tcs is not None
    assert (listed.token, listed.series, listed.tick, listed.delivery_only) == (
        100_001,
        "BE",
        500,
        True,
    )
    assert tcs.sector == "Software"
    assert master["ONGC"] is None
    assert master.changes() == [
        ["NEW_LISTING", "NEWCO"], ["CHANGED", "TCS"], ["CHANGED", "OILNGAS"],
    ]  # fmt: skip
    renamed = states_of(master.app, [1029])[1029]
    assert (renamed.found.symbol, renamed.former) == (
        "OILNGAS", ("ONGC", "Oil & Natural Gas Corporation Limited"),
    )  # fmt: skip

    assert [outcome for outcome, _ in master.take(*rows)][:4] == ["UNCHANGED"] * 4
    assert master.changes() == []
    assert master.take({**NEW, "symbol": "NEXTCO", "isin": "INE998A01017"}) == [("LISTED", "")]
    # What a list says is not undone when the stack starts again.
    seed_instruments(master.owner_urls)
    assert InstrumentMaster(master.app).by_symbol()["TCS"].sector == "Software"


def test_a_fact_waits_for_its_day_and_leaves_what_it_was(master: Master) -> None:
    known = InstrumentMaster(master.app).get("WIPRO")
    assert known is not None
    rows: dict[str, Fact] = {"symbol": "WIPRO", "tick": 5_000, "freeze_quantity": 9}
    assert master.take(rows, on=TOMORROW) == [("CHANGED", "")]
    assert master["WIPRO"] == known
    assert apply_dated_facts(master.app, TODAY) == 0
    assert apply_dated_facts(master.app, TOMORROW) == 1
    assert apply_dated_facts(master.app, TOMORROW) == 0
    changed = InstrumentMaster(master.app).get("WIPRO")
    assert changed is not None
    assert (changed.tick, changed.freeze_quantity, changed.lot) == (5_000, 9, known.lot)
    assert master.changes() == []  # nobody searches by a tick

    facts = master.app.run(
        "SELECT CAST(valid_from AS text), value, source FROM market.dated_fact"
        " WHERE token = :token AND fact = 'tick' ORDER BY valid_from",
        token=known.token,
    )
    assert facts == [
        ["-infinity", str(known.tick), "the first listing"], ["2026-11-24", "5000", "a list"],
    ]  # fmt: skip
    # Said again for the same day, the later word counts.
    assert master.take({"symbol": "WIPRO", "tick": 1_000}, on=TOMORROW) == [("CHANGED", "")]
    assert apply_dated_facts(master.app, TOMORROW) == 1
    assert InstrumentMaster(master.app).by_symbol()["WIPRO"].tick == 1_000


def test_a_share_is_not_listed_before_its_day(master: Master) -> None:
    assert master.take(NEW, on=TOMORROW) == [
        ("REFUSED", "not listed yet, and a share is listed on its day, not before")
    ]
    assert master["NEWCO"] is None


def test_a_name_that_is_anothers_by_its_day_waits_and_holds_up_nobody(master: Master) -> None:
    renaming: dict[str, Fact] = {"symbol": "INFOSYS", "isin": "INE009A01021"}
    assert master.take(renaming, {"symbol": "LT", "tick": 100}, on=TOMORROW) == [
        ("RENAMED", "was INFY"), ("CHANGED", ""),
    ]  # fmt: skip
    assert master.take({**NEW, "symbol": "INFOSYS"}) == [("LISTED", "")]
    assert apply_dated_facts(master.app, TOMORROW) == 1
    assert InstrumentMaster(master.app).by_symbol()["LT"].tick == 100
    assert master["INFY"] is not None


def test_a_list_is_taken_in_whole_or_not_at_all(master: Master) -> None:
    with pytest.raises(InvariantViolated):
        master.take({"symbol": "TCS", "sector": "Software"}, {"symbol": "ITC", "colour": "red"})
    assert Told("TCS", "CHANGED", "") in take_in(
        master.owner, [{"symbol": "TCS", "sector": "Software"}], TODAY, TODAY, "it", dry_run=True
    )


def test_a_delisted_share_waits_for_its_day_and_is_listed_again_by_nothing_but_its_own_fact(
    master: Master,
) -> None:
    def note(on: date, *, is_listed: bool = False) -> bool | None:
        return note_kind(master.owner, "SBIN", on, TODAY, "a notice", is_listed=is_listed)

    def kind() -> str:
        known = InstrumentMaster(master.app).get("SBIN")
        assert known is not None
        return known.kind

    ((token,),) = master.app.run("SELECT token FROM market.instrument WHERE symbol = 'SBIN'")
    assert note(TOMORROW) is True
    assert note(TOMORROW) is False
    assert (kind(), master.changes()) == ("EQUITY", [])

    assert note(TODAY) is True
    assert (kind(), master.changes()) == ("DELISTED", [["DELISTED", "SBIN"]])
    assert states_of(master.app, [token]) == {}
    assert token not in {each.found.token for each in every_listing(master.app)}
    assert master.take({"symbol": "SBIN", "name": "State Bank"}) == [("CHANGED", "")]
    seed_instruments(master.owner_urls)
    assert kind() == "DELISTED"
    master.changes()

    assert note(TODAY, is_listed=True) is True
    assert (kind(), master.changes()) == ("EQUITY", [["NEW_LISTING", "SBIN"]])
    assert note_kind(master.owner, "NIFTY 50", TODAY, TODAY, "", is_listed=False) is None


def test_products_are_facts_with_a_day_of_their_own(master: Master) -> None:
    assert master.take({"symbol": "LT", "products": "CNC"}, on=TOMORROW) == [("CHANGED", "")]
    assert apply_dated_facts(master.app, TOMORROW) == 1

    known = InstrumentMaster(master.app).get("LT")
    assert known is not None
    assert (known.allows(Product.CNC), known.allows(Product.MIS)) == (True, False)
