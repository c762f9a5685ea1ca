"""The listing, and the shares that make it longer."""

import csv
from datetime import date

import pytest

from functions.shared.domain.isin import is_isin
from infra.exchange.instruments import nifty_500, read_listing, with_more
from infra.local.migrations import FOLDER


@pytest.mark.parametrize("symbols", [None, 1, 51])
def test_a_listing_that_is_long_enough_stays_as_it_is(symbols: int | None) -> None:
    assert with_more(read_listing(), symbols) == read_listing()


def test_more_shares_make_it_as_long_as_asked_and_leave_the_index_alone() -> None:
    listing = read_listing()
    longer = with_more(listing, 5_000)
    assert len({share.symbol for share in longer.instruments} | {longer.index.symbol}) == 5_000
    added = longer.instruments[len(listing.instruments) :]
    assert (added[0].symbol, added[-1].symbol) == ("360ONE", f"LOAD{5_000 - 501}")
    assert all(share.reference_price % share.tick == 0 for share in added)
    assert not any(share.index_weight or share.derivatives for share in added)


def test_the_nifty_500_are_five_hundred_shares_each_with_an_isin_that_checks() -> None:
    shares = nifty_500()
    assert len({share.symbol for share in shares}) == 500
    assert len({share.token for share in shares}) == 500
    assert len({share.isin for share in shares}) == 500
    assert all(is_isin(share.isin) for share in shares)
    assert {share.series for share in shares} == {"EQ", "BE"}
    assert all(
        date(1990, 1, 1) < date.fromisoformat(s.listed_on) < date(2026, 7, 11) for s in shares
    )
    assert all(share.name == share.name.strip() and not share.name.isupper() for share in shares)


def test_what_the_exchange_trades_by_itself_is_in_the_nifty_500_with_the_same_facts() -> None:
    known = {share.symbol: share for share in nifty_500()}
    with (FOLDER / "instruments.csv").open(newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["kind"] == "EQUITY"]
    for row in listed:
        share = known[row["symbol"]]
        assert (row["token"], row["name"], row["isin"], row["sector"], row["series"]) == (
            share.token, share.name, share.isin, share.sector, share.series,
        )  # fmt: skip
