from tui.client.models import Instrument
from tui.state.listing import Listing, found

INDEX = Instrument(symbol="NIFTY 50", kind="INDEX")
SHARE = Instrument(symbol="TCS", kind="EQUITY")


def test_an_index_is_known_as_one_only_once_the_broker_has_said_so() -> None:
    assert not Listing().is_index("NIFTY 50")
    assert found(Listing(), INDEX).is_index("NIFTY 50")
    assert not found(Listing(), SHARE).is_index("TCS")


def test_the_first_tradable_symbol_is_one_the_broker_has_named() -> None:
    listing = found(found(Listing(), INDEX), SHARE)

    assert listing.first_tradable(["NIFTY 50", "INFY", "TCS"]) == "TCS"
    assert listing.first_tradable(["NIFTY 50", "INFY"]) is None


def test_only_what_was_never_answered_is_asked_for() -> None:
    assert found(Listing(), INDEX).unknown(["NIFTY 50", "TCS"]) == ["TCS"]
