"""Contract notes on a real PostgreSQL: after one, the ledger and the note agree by charge."""

import hashlib
import itertools
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.ledger.write_notes import DELAY, settled_through
from functions.shared.bookkeeping import contract_notes
from functions.shared.bookkeeping.contract_notes import FIRST, DueNote
from functions.shared.domain.calendar import Hours, closed_through
from functions.shared.domain.charges import HEADS, Charges
from functions.shared.domain.errors import NotFound, Retryable
from functions.shared.domain.orders import Product, Side
from functions.shared.wire.contract_notes import decode_note
from infra.local.postgres import OWNER, connect
from tests.integration.ledger.conftest import NewTrader
from tests.support.contract_notes import write_note_of
from tests.support.day_end import deliver, intraday
from tests.support.ledger import LAKH, NOON, TODAY, Trader, verdict
from tests.support.postgres import ShardsUnderTest

EVENING = NOON + timedelta(hours=5)


def due(trader: Trader, day: date = TODAY) -> DueNote:
    return DueNote(day, trader.user_id)


def write(trader: Trader, day: date = TODAY) -> bool:
    return write_note_of(trader, day, EVENING + (trader.now - NOON))


def noted(trader: Trader, day: date = TODAY, version: int | None = None) -> Charges:
    found = contract_notes.find_note(trader.shards, trader.user_id, day, version)
    return decode_note(found.body).note.charges


def is_due(trader: Trader, day: date = TODAY) -> bool:
    found = []
    for shard in trader.shards.databases:
        found += contract_notes.due_notes(shard, day, FIRST, 1_000)
    return due(trader, day) in found


def charged(trader: Trader) -> dict[str, int]:
    """What the account's postings have put under each charge, ever."""
    rows = trader.shards.of_user(trader.user_id).run(
        "SELECT account, sum(amount)::bigint FROM ledger.posting WHERE user_id = :user_id"
        " AND account LIKE 'charge:%' GROUP BY account",
        user_id=trader.user_id,
    )
    return {account.removeprefix("charge:"): amount for account, amount in rows if amount}


def by_head(charges: Charges) -> dict[str, int]:
    return {head: paise for head, paise in zip(HEADS, charges, strict=True) if paise}


def test_after_the_note_the_ledger_and_the_note_agree_by_charge(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(33, 101.25)
    estimate = charged(trader)
    assert is_due(trader)
    assert write(trader)
    note = noted(trader)
    assert charged(trader) == by_head(note)
    assert estimate != by_head(note)  # the tax is in whole rupees now
    assert note[1] % 100 == note[5] % 100 == 0
    assert trader.funds().cash == LAKH - 33 * 101_25 - sum(note)
    assert not is_due(trader)


def test_a_note_is_written_once(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    assert write(trader)
    seq = trader.funds().seq
    assert not write(trader)
    assert trader.funds().seq == seq
    assert trader.kinds().count("CONTRACT_NOTE") == 1


def test_a_fill_told_late_makes_a_version_that_books_its_own_difference(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    order = trader.buy(20)
    trader.fill(order, 10)
    assert write(trader)
    trader.settle()
    trader.fill(order, 10, trade_date=TODAY.isoformat())
    assert is_due(trader)
    assert write(trader)
    assert charged(trader) == by_head(noted(trader))
    first, second = noted(trader, version=1), noted(trader, version=2)
    assert (first, second) == (noted(trader, version=1), noted(trader))
    assert first[1] * 2 == second[1]
    with pytest.raises(NotFound):
        contract_notes.find_note(trader.shards, trader.user_id, TODAY, 3)


def test_a_note_computed_before_a_fill_came_in_is_not_booked(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    before = contract_notes.day_traded(trader.shards, trader.user_id, TODAY)
    trader.own(5)
    stale = contract_notes.book_note(
        trader.shards, due(trader), before.through, (0,) * 7, "{}", TODAY, EVENING
    )
    assert stale.outcome == "STALE"
    assert is_due(trader)
    assert "CONTRACT_NOTE" not in trader.kinds()


def test_an_account_that_never_rests_leaves_its_note_to_the_next_run(
    new_trader: NewTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = new_trader()
    trader.own(10)
    read = contract_notes.day_traded

    def overtaken(*arguments: object) -> contract_notes.DayTraded:
        found = read(*arguments)  # type: ignore[arg-type]
        trader.own(1)
        return found

    monkeypatch.setattr("functions.ledger.write_notes.day_traded", overtaken)
    with pytest.raises(Retryable):
        write(trader)
    assert is_due(trader)


def test_the_chain_covers_the_notes_text(new_trader: NewTrader) -> None:
    trader = new_trader()
    trader.own(10)
    write(trader)
    found = contract_notes.find_note(trader.shards, trader.user_id, TODAY, None)
    [[kind, body]] = trader.shards.of_user(trader.user_id).run(
        "SELECT kind, body FROM ledger.ledger_event WHERE user_id = :user_id AND seq = :seq",
        user_id=trader.user_id,
        seq=found.seq,
    )
    said = msgspec.json.decode(body)["contract_note"]
    assert kind == "CONTRACT_NOTE"
    assert said["sha256"] == hashlib.sha256(found.body.encode()).hexdigest()
    assert said["charges"] == list(noted(trader))
    assert (said["trade_date"], said["version"]) == (TODAY.isoformat(), 1)


def test_shares_bought_and_sold_on_one_day_get_back_what_the_estimate_took_for_delivery(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(100)
    trader.fill(trader.sell(100), 100)
    cash, estimate = trader.funds().cash, sum(charged(trader).values())
    assert write(trader)
    back = estimate - sum(noted(trader))
    assert back > 0
    assert trader.funds().cash == cash + back


def test_what_a_note_takes_from_an_account_without_money_is_lent(new_trader: NewTrader) -> None:
    """33 at 101.25: duty of 0.50 becomes a rupee, tax of 3.34 becomes three."""
    trader = new_trader(funds=verdict(Side.BUY, 33, 101.25).reserved)
    trader.own(33, 101.25)
    assert trader.funds().cash == 0
    assert write(trader)
    assert trader.kinds()[-2:] == ["BORROWED", "CONTRACT_NOTE"]
    assert (trader.funds().cash, trader.funds().borrowed) == (0, 16)


def depository(trader: Trader) -> int:
    return charged(trader).get("dp", 0)


def test_a_sale_out_of_the_demat_account_is_charged_once_and_not_in_the_note(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    trader.settle()
    trader.fill(trader.sell(4), 4)
    trader.fill(trader.sell(4), 4)
    day = trader.today
    assert write(trader, day)
    assert not write(trader, day)
    postings = trader.shards.of_user(trader.user_id).run(
        "SELECT account, amount FROM ledger.posting JOIN ledger.ledger_event USING (user_id, seq)"
        " WHERE user_id = :user_id AND kind = 'DP_CHARGED' ORDER BY line",
        user_id=trader.user_id,
    )
    assert postings == [["client:cash", -15_34], ["charge:dp", 13_00], ["charge:gst", 2_34]]
    assert write(trader)
    both_days = noted(trader)[6] + noted(trader, day)[6]
    assert charged(trader)["gst"] == both_days + 2_34


def test_settled_shares_delivered_for_a_short_position_are_charged_by_their_security_too(
    new_trader: NewTrader,
) -> None:
    trader = new_trader()
    trader.own(10)
    trader.settle()
    day = trader.today
    intraday(trader, Side.SELL, 4)
    assert write(trader, day)
    assert depository(trader) == 0  # nothing has left yet
    assert deliver(trader, day)
    assert is_due(trader, day)
    assert not write(trader, day)
    assert depository(trader) == 13_00
    assert not is_due(trader, day)


def test_shares_sold_before_they_settled_or_bought_back_leave_no_demat_account(
    new_trader: NewTrader,
) -> None:
    same_day = new_trader()
    same_day.own(10)
    same_day.fill(same_day.sell(10), 10)
    assert write(same_day)

    bought_back = new_trader()
    bought_back.own(10)
    bought_back.settle()
    bought_back.fill(bought_back.sell(10), 10)
    bought_back.own(10)
    assert write(bought_back, bought_back.today)

    unsettled = new_trader()
    unsettled.own(10)
    unsettled.now += timedelta(days=1)  # a Saturday: nothing has settled
    unsettled.fill(unsettled.sell(10), 10)
    assert write(unsettled, unsettled.today)
    assert [depository(t) for t in (same_day, bought_back, unsettled)] == [0, 0, 0]


def test_a_trade_date_is_closed_a_while_after_its_session() -> None:
    def closed(moment: datetime, hours: Hours) -> date:
        return closed_through(moment - DELAY, hours)

    closes = NOON.replace(hour=10, minute=30)  # 16:00 in India, post-close
    before = TODAY - timedelta(days=1)
    assert closed(closes, "nse") == before
    assert closed(closes + timedelta(minutes=9), "nse") == before
    assert closed(closes + timedelta(minutes=10), "nse") == TODAY
    assert closed(closes + timedelta(hours=6), "always-open") == before
    assert closed(NOON.replace(hour=18, minute=41), "always-open") == TODAY


def test_shares_have_settled_that_were_bought_a_settlement_day_before() -> None:
    monday = date(2026, 7, 13)
    assert settled_through(monday, "nse") == monday - timedelta(days=1)
    assert settled_through(TODAY, "nse") == TODAY - timedelta(days=1)
    assert settled_through(date(2026, 2, 19), "nse") == date(2026, 2, 17)  # pays nothing in or out
    assert settled_through(monday, "always-open") == monday - timedelta(days=1)


trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.sampled_from(Product),
        st.integers(1, 500),
        st.integers(8_000, 12_000).map(lambda paise: paise // 5 * 5 / 100),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=8,
)


def test_whatever_a_day_brings_the_note_and_the_ledger_agree(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(day=trades, late=st.integers(0, 3))
    def agree(day: list[tuple[Side, Product, int, float, int]], late: int) -> None:
        trader = new_trader(funds=50 * LAKH)
        trader.own(5_000, 100)  # so that every sale is covered
        for number, (side, product, quantity, rupees, fills) in enumerate(day):
            if number == len(day) - late:
                assert write(trader)
                assert charged(trader) == by_head(noted(trader))
            trade(trader, side, product, quantity, rupees, fills)
        write(trader)
        assert charged(trader) == by_head(noted(trader))
        assert not is_due(trader)

    agree()


def trade(
    trader: Trader, side: Side, product: Product, quantity: int, rupees: float, fills: int
) -> None:
    """One order, filled in so many parts."""
    place = trader.buy if side is Side.BUY else trader.sell
    order = place(quantity, rupees, product=product)
    for part in parts_of(quantity, fills):
        assert trader.fill(order, part, rupees).outcome == "APPLIED"


def parts_of(quantity: int, most: int) -> list[int]:
    cuts = sorted({quantity * n // most for n in range(most + 1)})
    return [high - low for low, high in itertools.pairwise(cuts)]


def test_a_kept_note_is_never_changed(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    trader = new_trader()
    trader.own(10)
    write(trader)
    for url in ledger_databases.urls(OWNER):
        connection = connect(url)
        for statement in (
            "UPDATE ledger.contract_note SET body = ''",
            "DELETE FROM ledger.contract_note",
        ):
            with pytest.raises(Exception, match="append-only"):
                connection.run(statement)
        connection.close()
