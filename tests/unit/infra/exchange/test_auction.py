"""The call auction's price is the rule's, by brute force, and what is left does not cross."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infra.exchange.auction import Bid, Equilibrium, equilibrium, pairs
from infra.exchange.phases import Phase
from infra.exchange.register import Register
from infra.exchange.reports import OrdType, TimeInForce
from infra.exchange.requests import NewOrder
from tests.unit.infra.exchange.broker import BUY, SELL, Desk, execution, ist
from tests.unit.infra.exchange.test_market import Hall

LIMITS = st.one_of(st.none(), st.integers(95, 105))
BIDS = st.lists(st.builds(Bid, LIMITS, st.integers(1, 40)), max_size=12)
REFERENCE = 100


def volume_at(buys: list[Bid], sells: list[Bid], price: int) -> tuple[int, int]:
    """What the rule counts at one price, straight from its words."""
    wanted = sum(b.quantity for b in buys if b.limit is None or b.limit >= price)
    offered = sum(s.quantity for s in sells if s.limit is None or s.limit <= price)
    return min(wanted, offered), abs(wanted - offered)


def by_price(bids: list[Bid], *, best_high: bool) -> list[Bid]:
    sign = -1 if best_high else 1
    return sorted(bids, key=lambda b: (b.limit is not None, sign * (b.limit or 0)))


@given(BIDS, BIDS)
def test_the_price_is_that_of_most_volume_least_left_over_and_nearest_to_the_reference(
    buys: list[Bid], sells: list[Bid]
) -> None:
    result = equilibrium(buys, sells, REFERENCE)
    prices = {b.limit for b in buys + sells if b.limit is not None} or {REFERENCE}
    best = max(
        (volume, -left, -abs(price - REFERENCE))
        for price in prices
        for volume, left in [volume_at(buys, sells, price)]
    )
    if result is None:
        assert best[0] == 0
        return
    volume, left = volume_at(buys, sells, result.price)
    assert volume == result.volume == best[0]
    if result.price in prices:
        nearest = -abs(result.price - REFERENCE)
        assert (volume, -left, nearest) >= best
    else:
        assert result.price == REFERENCE


@given(BIDS, BIDS)
def test_who_trades_gets_the_price_or_better_and_market_orders_come_first(
    buys: list[Bid], sells: list[Bid]
) -> None:
    buys, sells = by_price(buys, best_high=True), by_price(sells, best_high=False)
    result = equilibrium(buys, sells, REFERENCE)
    if result is None:
        return
    traded = list(pairs(buys, sells, result))
    assert sum(quantity for *_, quantity in traded) == result.volume
    assert all(b.limit is None or b.limit >= result.price for b, _, _ in traded)
    assert all(s.limit is None or s.limit <= result.price for _, s, _ in traded)
    buyers = [buyer.limit is None for buyer, _, _ in traded]
    assert buyers == sorted(buyers, reverse=True)


ORDERS = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.integers(1, 40),
        st.one_of(st.none(), st.integers(960, 1040).map(lambda tenth: tenth / 10)),
    ),
    max_size=25,
)


@given(ORDERS)
def test_after_an_auction_the_book_does_not_cross_and_shows_every_open_order(
    orders: list[tuple[object, ...]],
) -> None:
    desk = Desk(start=ist("2026-11-23 09:01"))
    for number, (side, quantity, price) in enumerate(orders):
        desk.order(str(number), side, quantity, price)  # type: ignore[arg-type]
    desk.advance(ist("2026-11-23 09:16"))
    bid, ask = desk.book.best(BUY), desk.book.best(SELL)
    assert bid is None or ask is None or bid < ask
    assert not desk.board.at_market
    for side in (BUY, SELL):
        shown = sum(quantity for _, quantity in desk.book.depth(side, 1000))
        assert shown == sum(o.leaves for o in desk.register.open.values() if o.side is side)
    sold = sum(t.last_quantity for t in desk.register.trades if t.side is SELL)
    assert sold == sum(t.last_quantity for t in desk.register.trades if t.side is BUY)


@given(ORDERS)
def test_an_auctions_orders_are_rebuilt_from_the_reports(
    orders: list[tuple[object, ...]],
) -> None:
    start = ist("2026-11-23 09:01")
    desk = Desk(start=start)
    for number, (side, quantity, price) in enumerate(orders):
        desk.order(str(number), side, quantity, price)  # type: ignore[arg-type]
    register = Register()
    for report in desk.all:
        register.apply(report)
    again = Desk(register, start)
    end = ist("2026-11-23 09:16")
    told = [(r.cl_ord_id, r.exec_type) for r in desk.advance(end)]  # type: ignore[union-attr]
    assert told == [(r.cl_ord_id, r.exec_type) for r in again.advance(end)]  # type: ignore[union-attr]


def test_equally_near_prices_give_the_reference_itself() -> None:
    result = equilibrium([Bid(101, 10)], [Bid(99, 10)], 100)
    assert result == Equilibrium(100, 10)


def test_the_house_gives_an_auction_a_price_near_the_fair_value() -> None:
    hall = Hall()
    hall.floor.set_phase(Phase.PRE_OPEN)
    board = hall.floor.boards["RELIANCE"]
    hall.day.show([], set())
    entries = dict(hall.day.take_batch())["RELIANCE"]
    assert all("279=2" in entry for entry in entries)
    hall.floor.set_phase(Phase.PRE_OPEN_MATCH)
    fair = hall.day.market.fair_values[hall.day.symbols.index("RELIANCE")]
    assert abs(board.last - fair) <= 4 * board.instrument.tick
    hall.floor.set_phase(Phase.CONTINUOUS)
    bid, ask = board.book.best(BUY), board.book.best(SELL)
    assert bid is not None
    assert ask is not None
    assert bid < ask


ORDER = NewOrder(
    session="OUTCRY-O1",
    cl_ord_id="1",
    account="77",
    symbol="RELIANCE",
    side=SELL,
    ord_type=OrdType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity=100,
    price=0,
    poss_dup=False,
    poss_resend=False,
    fault="",
)


def test_after_the_close_the_house_takes_what_is_offered_at_the_closing_price() -> None:
    hall = Hall()
    hall.floor.set_phase(Phase.CLOSED)
    hall.floor.set_phase(Phase.POST_CLOSE)
    board = hall.floor.boards["RELIANCE"]
    assert board.book.best(BUY) is None
    order = replace(ORDER, price=board.close)
    hall.engine.handle(order)
    hall.executions.drain()
    hall.day.advance(0.2)
    reports, more = hall.day.work()
    while more:
        again, more = hall.day.work()
        reports += again
    assert {execution(r).last_price for r in reports} == {board.close}
    assert hall.executions.register.orders[1].cum > 0
