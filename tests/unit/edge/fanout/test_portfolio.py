"""`portfolio`: figures at one event and the newest prices, told when they moved, and cheaply."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fanout.encodings import BINARY, JSON, Encoding
from edge.fanout.last_values import LastValues
from edge.fanout.limits import Limits
from edge.fanout.portfolio import Portfolios
from edge.fanout.valuing import Books
from functions.shared.wire.events import (
    EventBody,
    FundsFacts,
    HoldingFacts,
    PositionFacts,
    UserEvent,
    encode_event,
)
from functions.shared.wire.portfolio import PortfolioFacts
from functions.shared.wire.quotes import Quote
from tests.support.fanout import ORDER, FakeLink, Floor, principal, quote, read_messages

RUPEE = 10_000  # of a price; of an amount it is 100


def holding(symbol: str, quantity: int, cost: int, bought_today: int = 0) -> HoldingFacts:
    return HoldingFacts(
        symbol=symbol, quantity=quantity, settled=quantity - bought_today, t1=0,
        bought_today=bought_today, open_sell=0, pledged=0, cost=cost,
    )  # fmt: skip


def position(net: int, open_value: int, realised: int = 0, product: str = "MIS") -> PositionFacts:
    return PositionFacts(
        symbol="S2", product=product, trade_date="2026-11-23", net=net, open_value=open_value,
        buy_quantity=0, buy_value=0, sell_quantity=0, sell_value=0, realised=realised, margin=0,
    )  # fmt: skip


def facts(seq: int = 10, cash: int = 5_000_00, **rows: Any) -> PortfolioFacts:
    books: dict[str, Any] = {"holdings": [holding("S1", 10, 900_00)], "positions": [], **rows}
    return PortfolioFacts(seq=seq, cash=cash, borrowed=0, short_delivery=0, **books)


def price(floor: Floor, symbol: str, seq: int, rupees: float) -> None:
    floor.hub.take([quote(symbol, seq, round(rupees * RUPEE))])


def happened(seq: int, cash: int = 5_000_00, *, order: bool = True, **body: Any) -> bytes:
    """An event of user 7 as the channel brings it: by default one of an order."""
    funds = FundsFacts(cash=cash, held=0, borrowed=0, unsettled=0, blocked=0, seq=seq)
    whole = EventBody(funds=funds, order=ORDER if order else None, **body)
    return encode_event(UserEvent(user_id=7, user_seq=seq, kind="X", at=1, body=whole))


def answer(floor: Floor, books: PortfolioFacts | None) -> None:
    """Answers the oldest question for somebody's books."""
    user_id, ticket, _ = floor.doors.books.pop(0)
    floor.portfolios.answered(user_id, ticket, books)


def told(link: FakeLink) -> list[dict[str, Any]]:
    return [o for o in link.said() if o["type"] == "portfolio"]


def settled(books: PortfolioFacts | None = None) -> tuple[Floor, FakeLink]:
    """A user with ten S1 at 100 (closed at 100 the day before), who has been told so."""
    floor = Floor()
    price(floor, "S1", 1, 100)
    _, link = floor.sign_in()
    answer(floor, books or facts())
    floor.tick()
    assert len(told(link)) == 1
    return floor, link


def test_the_first_figures_come_when_the_books_have_been_read() -> None:
    floor = Floor()
    price(floor, "S1", 1, 102)
    price(floor, "S2", 1, 104)
    _, link = floor.sign_in()
    assert [(user, day) for user, _, day in floor.doors.books] == [(7, floor.day)]
    floor.second()
    assert told(link) == []
    rows = [position(-5, 530_00, 20_00), position(3, 300_00, 7_00, "CNC")]
    answer(floor, facts(holdings=[holding("S1", 10, 900_00, bought_today=4)], positions=rows))
    floor.tick()
    # Shares 1020; 6 of them from 100 and 4 from their cost of 90; short 5 at 106, now 104.
    assert told(link) == [
        {
            "type": "portfolio", "value": "6030.00", "holdings_value": "1020.00",
            "day_pnl": "97.00", "unrealised_pnl": "130.00",
        }
    ]  # fmt: skip


def test_a_move_of_ten_rupees_is_told_and_a_smaller_one_is_not() -> None:
    floor, link = settled(facts(holdings=[holding("S1", 1_000, 90_000_00)]))
    price(floor, "S1", 2, 100.0099)
    floor.second()
    assert told(link) == []
    price(floor, "S1", 3, 100.01)
    floor.second()
    assert [each["unrealised_pnl"] for each in told(link)] == ["10010.00"]
    floor.second()
    assert told(link) == []


def test_half_a_percent_is_told_of_a_small_holding() -> None:
    floor, link = settled()  # worth 1000
    price(floor, "S1", 2, 100.49)
    floor.second()
    assert told(link) == []
    price(floor, "S1", 3, 100.51)
    floor.second()
    assert [each["holdings_value"] for each in told(link)] == ["1005.10"]


def test_figures_travel_with_the_quotes_of_one_write() -> None:
    floor, link = settled()
    (client,) = floor.hub.clients()
    floor.hub.subscribe(client, ["S1"], "ltp")
    price(floor, "S1", 2, 200)
    floor.portfolios.tick(7)
    floor.tick()
    ((_, message),) = read_messages(link.data)
    assert message.startswith(b'[{"type":"quote"')
    assert [each["type"] for each in link.said()] == ["quote", "portfolio"]


def test_a_missing_price_leaves_figures_open_never_zero() -> None:
    floor = Floor()
    _, link = floor.sign_in()
    answer(floor, facts())
    floor.tick()
    open_ = {"value": None, "holdings_value": None, "day_pnl": None, "unrealised_pnl": None}
    assert told(link) == [{"type": "portfolio", **open_}]
    price(floor, "S1", 1, 100)
    floor.second()
    assert [each["value"] for each in told(link)] == ["6000.00"]


def test_a_close_that_becomes_known_counts_from_then_on() -> None:
    floor = Floor()
    floor.hub.take([quote("S1", 1, 100 * RUPEE)._replace(close=0)])
    _, link = floor.sign_in()
    answer(floor, facts())
    for seq, (rupees, close) in enumerate([(101, 0), (102, 100), (103, 100), (104, 99)], 2):
        floor.hub.take([quote("S1", seq, rupees * RUPEE)._replace(close=close * RUPEE)])
        floor.second()
    days = [each["day_pnl"] for each in told(link)]
    assert days == ["0.00", "0.00", "20.00", "30.00", "50.00"]


def test_an_event_of_money_is_laid_over_the_books() -> None:
    floor, link = settled()
    floor.private.live(7, happened(11, cash=4_000_00))
    floor.second()
    assert [each["value"] for each in told(link)] == ["5000.00"]
    assert floor.doors.books == []


@pytest.mark.parametrize(
    "event",
    [
        happened(11, order=False),  # a payment, a settlement, a charge
        happened(11, holding=holding("S1", 11, 1_000_00)),
        happened(11, position=position(1, 100_00)),
        happened(12),  # 11 was missed
        b"{",
    ],
)
def test_what_may_have_moved_shares_has_the_books_read_again(event: bytes) -> None:
    floor, link = settled()
    floor.private.live(7, event)
    price(floor, "S1", 2, 150)
    floor.second()
    assert told(link) == []  # of no moment: the shares are old, the prices new
    answer(floor, facts(12, holdings=[holding("S1", 11, 1_000_00)]))
    floor.tick()
    assert [each["holdings_value"] for each in told(link)] == ["1650.00"]


def test_an_order_that_repeats_its_rows_asks_for_nothing() -> None:
    floor, _ = settled(facts(positions=[position(1, 100_00, 5_00)]))
    floor.private.live(7, happened(11, holding=holding("S1", 10, 900_00)))
    floor.private.live(7, happened(12, position=position(1, 100_00, 5_00)))
    floor.second()
    assert floor.doors.books == []


def test_events_that_come_while_the_books_are_read_count_by_their_number() -> None:
    floor = Floor()
    price(floor, "S1", 1, 100)
    _, link = floor.sign_in()
    answer(floor, facts(10))
    floor.tick()
    told(link)
    bought = holding("S1", 11, 1_000_00)
    floor.private.live(7, happened(11, holding=bought))
    floor.second()  # asks
    floor.private.live(7, happened(12, cash=3_000_00))
    floor.private.live(7, happened(13, cash=2_000_00))
    answer(floor, facts(11, holdings=[bought]))  # as of before 12 and 13, which moved money
    floor.tick()
    assert [each["value"] for each in told(link)] == ["3100.00"]
    floor.private.live(7, happened(14, holding=holding("S1", 12, 1_100_00)))
    floor.second()  # asks
    floor.private.live(7, happened(15, holding=bought))
    answer(floor, facts(14, holdings=[holding("S1", 12, 1_100_00)]))
    floor.tick()
    assert told(link) == []  # 15 is not in it
    floor.second()
    answer(floor, facts(15, cash=2_000_00, holdings=[bought]))
    floor.tick()
    assert [each["value"] for each in told(link)] == []  # what it was before
    price(floor, "S1", 2, 200)
    floor.second()
    assert [each["value"] for each in told(link)] == ["4200.00"]


def test_lost_channels_and_a_new_trade_date_have_all_books_read_again() -> None:
    floor, link = settled()
    floor.private.restored([7])
    floor.second()
    floor.day += timedelta(days=1)
    floor.second()
    answer(floor, facts(99))  # of the day before: asked again meanwhile
    price(floor, "S1", 2, 150)
    floor.second()
    assert told(link) == []
    assert [day for *_, day in floor.doors.books] == [floor.day]
    answer(floor, facts())
    floor.tick()
    assert len(told(link)) == 1


def test_a_ledger_that_does_not_answer_is_asked_once_a_second_until_it_does() -> None:
    floor = Floor()
    for user_id in range(20):
        client, _ = floor.connect()
        floor.reception.verified(client, principal(user_id, f"s{user_id}"))
        floor.answer(None, 0)
    while floor.doors.books:
        user_id, ticket, _ = floor.doors.books.pop(0)
        floor.portfolios.not_answered(user_id, ticket)
    asked = 0
    for _ in range(10):
        floor.second()
        for user_id, ticket, _ in floor.doors.books:
            asked += 1
            floor.portfolios.not_answered(user_id, ticket)
        floor.doors.books.clear()
    assert 4 <= asked <= 10
    for _ in range(3):
        floor.second()
        while floor.doors.books:
            answer(floor, facts())
    assert floor.portfolios.reads == 20 + asked + 20
    assert floor.portfolios.open == 0


def test_a_user_without_an_account_is_asked_about_when_something_happened() -> None:
    floor = Floor()
    client, _ = floor.connect()
    floor.reception.verified(client, principal(7))
    floor.answer(None, 0)
    answer(floor, None)
    floor.second()
    assert floor.doors.books == []
    floor.private.live(7, happened(1))
    floor.second()
    assert len(floor.doors.books) == 1


def test_only_so_many_books_are_asked_for_at_a_time() -> None:
    floor = Floor()
    portfolios = Portfolios(floor.hub, floor.doors, lambda: floor.day, Limits(portfolio_reads=3))
    for user_id in range(10):
        client, _ = floor.connect()
        portfolios.enter(user_id, client, {client})
    asked = []
    for number in range(400):
        portfolios.tick(number)
        assert portfolios.open == len(floor.doors.books) <= 3
        while len(floor.doors.books) == 3 or (number > 300 and floor.doors.books):
            user_id, ticket, _ = floor.doors.books.pop(0)
            asked.append(user_id)
            portfolios.answered(user_id, ticket, None)
    assert sorted(asked) == list(range(10))


def test_each_connection_of_a_user_is_told_and_binary_ones_in_text() -> None:
    floor, first = settled()
    _, binary = floor.sign_in(encoding=BINARY)
    _, second = floor.sign_in()
    for link in (binary, second):
        link.said()
    assert floor.doors.books == []
    price(floor, "S1", 2, 150)
    floor.second()
    for link in (first, binary, second):
        assert [each["holdings_value"] for each in told(link)] == ["1500.00"]
    for client in floor.hub.clients():
        floor.reception.gone(client)
    assert floor.reception.leftovers == 0


def test_one_who_signs_in_beside_another_is_told_what_that_one_was() -> None:
    floor, _ = settled()
    client, link = floor.connect()
    floor.reception.verified(client, principal(7))
    assert [each["value"] for each in told(link)] == ["6000.00"]


@pytest.mark.parametrize("encoding", [JSON, BINARY])
def test_a_slow_client_gets_the_newest_figures_alone(encoding: Encoding) -> None:
    floor, _ = settled()
    client, link = floor.sign_in(encoding=encoding)
    client.block(0.0)
    for seq in range(2, 7):
        price(floor, "S1", seq, 100 * seq)
        floor.second()
    client.unblock()
    floor.tick()
    assert [each["holdings_value"] for each in told(link)] == ["6000.00"]


def test_an_answer_to_somebody_who_left_and_came_back_is_not_theirs() -> None:
    floor = Floor()
    client, _ = floor.sign_in()
    floor.reception.gone(client)
    floor.sign_in()
    answer(floor, facts())
    floor.second()
    assert floor.portfolios.open == 1
    answer(floor, facts())
    assert floor.portfolios.open == 0


#: Of whole paise, as nearly all are, and of parts of them.
PRICES = st.integers(1, 10**7).map(lambda paise: paise * 100) | st.integers(1, 10**9)
ROWS = st.lists(
    st.tuples(
        st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**10),
        PRICES, st.integers(0, 10**9),
    ),
    max_size=6,
)  # fmt: skip
POSITIONS = st.lists(
    st.tuples(
        st.sampled_from(["MIS", "CNC"]), st.integers(-(10**6), 10**6), st.integers(0, 10**10),
        st.integers(-(10**8), 10**8),
    ),
    max_size=4,
)  # fmt: skip


def half_up(numerator: int, denominator: int) -> int:
    """Half away from zero, by the digits."""
    whole, rest = divmod(abs(numerator), denominator)
    whole += 2 * rest >= denominator
    return -whole if numerator < 0 else whole


@given(rows=ROWS, trades=POSITIONS, price_of_s2=st.integers(1, 10**9))
def test_figures_are_the_sums_of_rows_each_rounded_on_its_own(
    rows: list[tuple[int, int, int, int, int]],
    trades: list[tuple[str, int, int, int]],
    price_of_s2: int,
) -> None:
    quotes: dict[str, Quote] = {"S2": quote("S2", 1, price_of_s2)}
    held, value, day, unrealised = [], 0, 0, 0
    for number, (quantity, today, cost, ltp, close) in enumerate(rows):
        symbol, today = f"H{number}", min(today, quantity)
        quotes[symbol] = quote(symbol, 1, ltp)._replace(close=close)
        held.append(holding(symbol, quantity, cost, today))
        worth = half_up(quantity * ltp, 100)
        value += worth
        unrealised += worth - cost
        day += worth - half_up((quantity - today) * (close or ltp), 100) - cost * today // quantity
    holdings_value = value
    for product, net, entered, realised in trades:
        day += realised
        if product == "MIS" and net:
            gain = half_up(net * price_of_s2, 100) - (entered if net > 0 else -entered)
            value, day, unrealised = value + gain, day + gain, unrealised + gain
    traded = [position(net, entered, r, product) for product, net, entered, r in trades]
    last = LastValues()
    books = Books(facts(cash=777, holdings=held, positions=traded), last)
    assert not rows or books.gain() is None  # no price is known yet
    for each in quotes.values():
        last.take(each)
    assert books.figures(books.gain()) == (777 + value, holdings_value, day, unrealised)
