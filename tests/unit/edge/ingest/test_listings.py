"""New listings: read as the venue writes them, written once, watched once they are listed."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.announced import Announced, parse_phase
from edge.ingest.arbiter import HoldLimits
from edge.ingest.book import Book
from edge.ingest.feed import FeedPair
from edge.ingest.listings import Listings, parse_listing
from functions.shared.clock import wall_now
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.instruments import Instrument
from functions.shared.domain.sessions import SecurityClass
from functions.shared.stores.listings import NewShare
from infra.exchange.instruments import Instrument as VenueShare
from infra.exchange.notices import ListingNotice, PhaseNotice
from infra.exchange.phases import Phase as VenuePhase

AT = "20260710-03:45:00.000"
SHARE = VenueShare(
    symbol="NEW&CO", name="New Company Limited", isin="INE000A01010", sector="Energy",
    reference_price=2_500_000, tick=500, band_percent=5, lot=2, index_weight=0, derivatives=False,
)  # fmt: skip


def body(share: VenueShare = SHARE, **changes: str) -> bytes:
    fields = dict(ListingNotice(share, AT).fields())
    fields |= {int(tag.removeprefix("tag")): value for tag, value in changes.items()}
    text = "".join(f"{tag}={value}\x01" for tag, value in fields.items())
    return f"35=d\x0134=2\x0149=XNSE\x0152={AT}\x0156=OUTCRY-M1\x01{text}".encode("latin-1")


def instrument(share: NewShare) -> Instrument:
    return Instrument(
        token=800_001, exchange="NSE", symbol=share.symbol, name=share.name, isin=share.isin,
        sector=share.sector, kind="EQUITY", tick=share.tick, lot=share.lot,
        band_percent=share.band_percent, previous_close=share.price, series="EQ",
        freeze_quantity=100_000, closing_auction=False,
    )  # fmt: skip


def test_a_listing_is_read_as_the_venue_writes_it() -> None:
    assert parse_listing(body()) == NewShare(
        "NEW&CO", "New Company Limited", "INE000A01010", "Energy", 500, 2, 5, 2_500_000
    )


@pytest.mark.parametrize(
    "wrong",
    [{"tag55": ""}, {"tag55": "newco"}, {"tag55": "N" * 90}, {"tag107": "a\x00b"}, {"tag969": "0"},
     {"tag969": "x"}, {"tag140": "250.03"}, {"tag561": "0"}, {"tag561": "1.5"}, {"tag1149": "101"},
     {"tag1306": "0"}],
)  # fmt: skip
def test_what_can_be_no_share_is_the_peers_error(wrong: dict[str, str]) -> None:
    with pytest.raises(PeerProtocolError):
        parse_listing(body(**wrong))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    with contextlib.suppress(PeerProtocolError):
        parse_listing(junk)


def test_a_share_is_written_until_it_is_listed_and_watched_once() -> None:
    written: list[NewShare] = []
    joined: list[Instrument] = []

    def write(share: NewShare) -> Instrument:
        written.append(share)
        if len(written) == 1:
            raise Retryable("the database is away")
        return instrument(share)

    async def hear() -> None:
        listed = asyncio.Event()

        def join(shares: Sequence[Instrument]) -> None:
            joined.extend(shares)
            listed.set()

        listings = Listings(["RELIANCE"], write, join)
        task = asyncio.create_task(listings.run())
        known = VenueShare(**{**_fields(SHARE), "symbol": "RELIANCE"})
        for told in (body(), body(), body(known)):
            listings.hear(told)
        await listed.wait()
        listings.hear(body())  # told again after the next logon
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(hear())
    assert [share.symbol for share in joined] == ["NEW&CO"]
    assert len(written) == 2


def test_a_new_share_has_its_classes_phase_and_its_token() -> None:
    announced = Announced({"RELIANCE": SecurityClass.OTHER})
    phase = "".join(
        f"{tag}={value}\x01" for tag, value in PhaseNotice(VenuePhase.CONTINUOUS, "", AT).fields()
    )
    announced.phase(parse_phase(f"35=h\x01{phase}".encode("latin-1")))
    announced.take_dirty()
    announced.take_in("NEW&CO", SecurityClass.OTHER)
    assert set(announced.take_dirty()) == {"NEW&CO"}
    book = Book({"RELIANCE": 1})
    book.take_in("NEW&CO", 800_001)
    book.replace(b"NEW&CO", [], 1)
    assert [state.token for state in book.states()] == [800_001]


def test_the_next_connections_ask_for_the_new_share_too() -> None:
    pair = FeedPair(
        "OUTCRY-M1", [("127.0.0.1", 1), ("127.0.0.1", 2)], ["RELIANCE"], Book({}), Announced({}),
        wall_now, HoldLimits(),
    )  # fmt: skip
    pair.watch(["NEW&CO"])
    for feed in pair.feeds:
        assert list(feed._symbols) == ["RELIANCE", "NEW&CO"]
    assert len(pair.partitions) in {1, 2}


def _fields(share: VenueShare) -> dict[str, object]:
    return {name: getattr(share, name) for name in share.__dataclass_fields__}
