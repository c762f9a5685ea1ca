"""What the venue lists reaches the instrument master, and whoever asks for it."""

from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.listings import ANNOUNCED_TOKENS, NewShare, list_share
from functions.shared.stores.postgres import Database
from infra.local.postgres import APPLICATION, EDGE
from tests.support.postgres import ShardsUnderTest

SHARE = NewShare("NEW&CO", "New Company Limited", "", "Energy", 500, 1, 20, 2_500_000)


def test_a_share_is_listed_once_is_found_at_once_and_changes_no_other(
    ledger_databases: ShardsUnderTest,
) -> None:
    edge = Database(ledger_databases.urls(EDGE)[0], "test")
    app = Database(ledger_databases.urls(APPLICATION)[0], "test")
    master = InstrumentMaster(app)
    assert (master.get("NEW&CO"), master.get("a\x00b"), master.get("ACME%")) == (None, None, None)

    first = list_share(edge, SHARE)

    assert first.token in ANNOUNCED_TOKENS
    assert (first.tick, first.previous_close, first.series) == (500, 2_500_000, "EQ")
    assert list_share(edge, SHARE._replace(name="Another")) == first
    assert list_share(edge, SHARE._replace(symbol="NEXTCO")).token == first.token + 1
    known = master.get("RELIANCE")
    assert list_share(edge, SHARE._replace(symbol="RELIANCE")) == known
    assert master.get("new&co") == first  # before the master is read whole again
    edge.close()
    app.close()
