"""The listing, and the load shares that make it longer."""

import pytest

from infra.exchange.instruments import read_listing, with_load


@pytest.mark.parametrize("symbols", [None, 1, 51])
def test_a_listing_that_is_long_enough_stays_as_it_is(symbols: int | None) -> None:
    assert with_load(read_listing(), symbols) == read_listing()


def test_load_shares_make_it_as_long_as_asked_and_leave_the_index_alone() -> None:
    listing = read_listing()
    longer = with_load(listing, 5_000)
    assert len({share.symbol for share in longer.instruments} | {longer.index.symbol}) == 5_000
    added = longer.instruments[len(listing.instruments) :]
    assert (added[0].symbol, added[-1].symbol) == ("LOAD0001", f"LOAD{len(added)}")
    assert all(share.reference_price % share.tick == 0 for share in added)
    assert not any(share.index_weight or share.derivatives for share in added)
